// The details of a leaf: the content of its row, and all other fields.

function term(name, value, attributes = {}) {
  return isNone(value) || value === '' ? null : el('div', attributes, el('dt', {}, name), el('dd', {}, value));
}
const wide = (name, value) => term(name, value, { class: 'wide' });

// Makes a path with its own text direction.
const pathText = (text) => el('bdi', { class: 'path' }, text);

function detailsOf(at) {
  if (at.leaf < 0) return aliasDetails(at);
  const { item, leaf } = at;
  const figures = [];
  if (item.series && item.isTensor(leaf)) figures.push(...seriesFigures(item, leaf));
  const histogram = item.isTensor(leaf) ? histogramFigure(item, leaf) : null;
  if (histogram) figures.push(histogram);
  return el('div', { class: 'detail-grid' }, figures, el('dl', { class: 'numbers' }, leafTerms(at)));
}

function aliasDetails({ item, node }) {
  const target = item.targetOf.get(node);
  return el('dl', { class: 'numbers' },
    wide('Path', pathText(item.canonicalOf(node))),
    wide('Tied to', pathText(item.canonicalOf(target))),
    term('Counted', 'under its owner alone'));
}

function leafTerms({ item, node, leaf }) {
  const aliases = item.aliasesOf.get(node) ?? [];
  const terms = [
    wide('Path', pathText(item.canonicalOf(node))),
    aliases.length ? wide('Also known as', pathText(aliases.map((alias) => item.canonicalOf(alias)).join('  '))) : null,
    item.change ? changeTerm(item, leaf) : null,
  ];
  if (!item.isTensor(leaf)) {
    const before = item.sides.length > 1 && item.has(0, leaf) && item.has(1, leaf) &&
        item.change.what[leaf] !== 'same';
    terms.push(term('Kind of value', item.get(leaf, 'dtype')),
      before ? wide('Value before', bdi(item.valueText(leaf, 0))) : null,
      wide('Value', bdi(item.valueText(leaf))));
  } else {
    terms.push(...tensorTerms(item, leaf));
  }
  if (item.leaves.group) terms.push(term('Group', bdi(item.groupName(item.groupOf(leaf)))));
  const tags = item.tagsOf.get(node);
  if (tags) terms.push(term('Tags', bdi(tags.join(', '))));
  return terms;
}

// Returns before and after where they differ.
function both(item, leaf, column, format) {
  const now = format(item.get(leaf, column));
  if (item.now(leaf) === 0 || !item.has(0, leaf)) return now;
  const before = format(item.getOn(0, leaf, column));
  return before === now ? now : `${before} → ${now}`;
}

function tensorTerms(item, leaf) {
  const odd = (column) => {
    const text = both(item, leaf, column, formatCount);
    return text !== '0' ? el('span', { class: 'warn-text' }, text) : text;
  };
  const of = (name, column, format = (value) => formatNumber(value, 6)) =>
      term(name, both(item, leaf, column, format));
  const stored = item.get(leaf, 'stored');
  const bytes = item.get(leaf, 'bytes');
  return [
    of('Dtype', 'dtype', String),
    of('Shape', 'shape', formatShape),
    of('Parameters', 'parameters', formatCount),
    of('Bytes', 'bytes', (value) => formatBytes(value)),
    stored !== null && stored !== bytes ? term('Stored in', formatBytes(stored)) : null,
    of('L2', 'l2'),
    term('RMS', formatNumber(item.rms(leaf), 6)),
    of('Mean', 'mean'), of('Std', 'std'), of('Min', 'min'), of('Max', 'max'),
    term('Zeros', `${both(item, leaf, 'zero', formatCount)}${item.get(leaf, 'count') > 0
      ? ` (${formatShare(item.get(leaf, 'zero'), item.get(leaf, 'count'))})` : ''}`),
    term('NaN', odd('nan')),
    term('Infinite', odd('inf')),
  ];
}

function changeTerm(item, leaf) {
  const what = item.change.what[leaf];
  const get = (name) => decodeNumber(item.change[name][leaf]);
  if (what !== 'numbers') {
    const words = { same: 'nothing', value: 'its value', added: 'it is there only after',
        removed: 'it is there only before',
      dtype: 'its dtype', shape: 'its shape', kind: 'a tensor on one side, static on the other' };
    return wide('Changed', words[what]);
  }
  return wide('Changed', `${formatCount(get('differing'))} of ${formatCount(item.get(leaf, 'count'))} numbers; ` +
    `by ${formatNumber(get('l2'))} in norm, ${formatRatio(item.relativeChange(leaf))} of what it was; ` +
    `one number by at most ${formatNumber(get('max_abs'))}, relatively ${formatNumber(get('max_rel'))}`);
}

function seriesFigures(item, leaf) {
  const { steps, l2, change } = item.series;
  const figure = (title, fill, values) => lineChart({ title, steps, lines: [{ name: title, fill, values }],
      format: (v) => formatNumber(v), height: 128 });
  const figures = [figure('L2', 'accent', l2[leaf].map(decodeNumber))];
  const moves = change[leaf].map(decodeNumber);
  if (moves.some((value) => value > 0)) figures.push(figure('Norm of the change since the step before', 'c1', moves));
  return figures;
}

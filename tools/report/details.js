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
  const figures = item.isTensor(leaf) && [item.series && seriesFigures(item, leaf), histogramFigure(item, leaf)];
  return el('div', { class: 'detail-grid' }, figures, el('dl', { class: 'numbers' }, leafTerms(at)));
}

function aliasDetails({ item, node }) {
  return el('dl', { class: 'numbers' },
    wide('Path', pathText(item.canonicalOf(node))),
    wide('Tied to', pathText(item.canonicalOf(item.targetOf.get(node)))),
    term('Counted', 'under its owner alone'));
}

function leafTerms({ item, node, leaf }) {
  const aliases = item.aliasesOf.get(node);
  const tags = item.tagsOf.get(node);
  return [
    wide('Path', pathText(item.canonicalOf(node))),
    aliases && wide('Also known as', pathText(aliases.map((alias) => item.canonicalOf(alias)).join('  '))),
    item.change && wide('Changed', changeText(item, leaf)),
    item.isTensor(leaf) ? tensorTerms(item, leaf) : valueTerms(item, leaf),
    item.leaves.group && term('Group', bdi(item.groupName(item.groupOf(leaf)))),
    tags && term('Tags', bdi(tags.join(', '))),
  ];
}

function valueTerms(item, leaf) {
  const changed = item.change && item.change.what[leaf] !== 'same' && item.has(0, leaf) && item.has(1, leaf);
  return [
    term('Kind of value', item.get(leaf, 'dtype')),
    changed && wide('Value before', bdi(item.valueText(leaf, 0))),
    wide('Value', bdi(item.valueText(leaf))),
  ];
}

// Returns before and after where they differ.
function both(item, leaf, column, format) {
  const now = format(item.get(leaf, column));
  if (item.now(leaf) === 0 || !item.has(0, leaf)) return now;
  const before = format(item.getOn(0, leaf, column));
  return before === now ? now : `${before} → ${now}`;
}

function tensorTerms(item, leaf) {
  const of = (name, column, format = (value) => formatNumber(value, 6)) =>
    term(name, both(item, leaf, column, format));
  const odd = (name, column) => {
    const text = both(item, leaf, column, formatCount);
    return term(name, text === '0' ? text : el('span', { class: 'warn-text' }, text));
  };
  const [count, bytes, stored] = ['count', 'bytes', 'stored'].map((column) => item.get(leaf, column));
  const zeros = count > 0 ? ` (${formatShare(item.get(leaf, 'zero'), count)})` : '';
  return [
    of('Dtype', 'dtype', String), of('Shape', 'shape', formatShape), of('Parameters', 'parameters', formatCount),
    of('Bytes', 'bytes', formatBytes), stored !== bytes && term('Stored in', formatBytes(stored)),
    of('L2', 'l2'), term('RMS', formatNumber(item.rms(leaf), 6)),
    of('Mean', 'mean'), of('Std', 'std'), of('Min', 'min'), of('Max', 'max'),
    term('Zeros', both(item, leaf, 'zero', formatCount) + zeros), odd('NaN', 'nan'), odd('Infinite', 'inf'),
  ];
}

function changeText(item, leaf) {
  const what = item.change.what[leaf];
  const get = (name) => decodeNumber(item.change[name][leaf]);
  const words = {
    same: 'nothing', value: 'its value', added: 'it is there only after', removed: 'it is there only before',
    dtype: 'its dtype', shape: 'its shape', kind: 'a tensor on one side, static on the other',
  };
  return words[what] ??
    `${formatCount(get('differing'))} of ${formatCount(item.get(leaf, 'count'))} numbers; ` +
    `by ${formatNumber(get('l2'))} in norm, ${formatRatio(item.relativeChange(leaf))} of what it was; ` +
    `one number by at most ${formatNumber(get('max_abs'))}, relatively ${formatNumber(get('max_rel'))}`;
}

function seriesFigures(item, leaf) {
  const { steps, l2, change } = item.series;
  const figure = (title, fill, values) =>
    lineChart({ title, steps, lines: [{ name: title, fill, values }], height: 128 });
  const moves = change[leaf].map(decodeNumber);
  return [
    figure('L2', 'accent', l2[leaf].map(decodeNumber)),
    moves.some((value) => value > 0) && figure('Norm of the change since the step before', 'c1', moves),
  ];
}

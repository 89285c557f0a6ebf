// The columns of the table of leaves, by the kind of report.
//
// A column has: id, label, title, width in pixels, `sort` (returns the value of a row; null is last), `draw` (fills the
// cell), `right` for numbers, `last` (columns with larger values are left out first where space is short; the details
// have all of them), `falling` (whether the first click sorts in descending order).

// Returns a row for columns; `leaf` is -1 for an alias.
const rowOf = (item, row) => {
  const node = item.rowNodes[row];
  return { item, row, node, leaf: item.leafOf[node] };
};

const ofLeaf = (value) => (at) => (at.leaf < 0 ? null : value(at.item, at.leaf));

function numberColumn(id, label, title, width, last, value, format = formatNumber) {
  return {
    id, label, title, width, last, right: true, falling: true,
    sort: ofLeaf(value),
    draw(cell, at) {
      if (at.leaf >= 0 && at.item.isTensor(at.leaf)) cell.textContent = format(value(at.item, at.leaf));
    },
  };
}

const statistic = (id, label, title, width, last, format) =>
  numberColumn(id, label, title, width, last, (item, leaf) => item.get(leaf, id), format);

// `value` is for the order; `picture` returns an SVG, or null.
const pictureColumn = (id, label, title, width, last, value, picture) => ({
  id, label, title, width, last, falling: true, graphic: true, sort: ofLeaf(value),
  draw(cell, at) { cell.append(...[at.leaf >= 0 ? picture(at.item, at.leaf) : null].filter(Boolean)); },
});

// Highlights the longest word of the search.
function highlighted(text, words) {
  const small = text.toLowerCase();
  let best = null;
  for (const word of words) {
    const at = small.indexOf(word);
    if (at < 0 || small.length !== text.length) continue;
    if (!best || word.length > best.length) best = { at, length: word.length };
  }
  if (!best) return [text];
  return [text.slice(0, best.at), el('mark', {}, text.slice(best.at, best.at + best.length)),
      text.slice(best.at + best.length)];
}

function drawPath(cell, at, table) {
  const { item, node } = at;
  const keys = item.keysOf(node);
  const name = node === 0 ? '(root)' : keys.pop();
  const prefix = keys.length ? `${keys.join('.')}.` : '';
  cell.classList.add('path-cell');
  cell.title = item.pathOf(node);
  cell.append(el('span', { class: 'twist', 'aria-hidden': 'true' }, table.open.has(at.row) ? '▼' : '▶'));
  if (item.leaves.group && at.leaf >= 0) cell.append(swatch(item.groupFill(item.groupOf(at.leaf))));
  cell.append(el('span', { class: 'path' }, el('bdi', { class: 'prefix' }, highlighted(prefix, table.words)),
    el('bdi', { class: 'name' }, highlighted(name, table.words))));
}

const pathColumn = {
  id: 'path', label: 'Path', title: 'Path, in the order of the tree', width: 0, last: 0,
  sort: (at) => at.row,
  draw: drawPath,
};

const dtypeColumn = {
  id: 'dtype', label: 'Dtype', title: 'Dtype of the numbers; of a static leaf the kind of its value',
  width: 56, last: 4,
  sort: ofLeaf((item, leaf) => item.get(leaf, 'dtype')),
  draw(cell, at) { cell.textContent = at.leaf < 0 ? '' : at.item.get(at.leaf, 'dtype') ?? ''; },
};

// Shows the value of a static leaf and the owner of an alias.
const shapeColumn = {
  id: 'shape', label: 'Shape or value', width: 132, last: 2,
  title: 'Shape; of a static leaf its value; of an alias the leaf it is tied to',
  sort: ofLeaf((item, leaf) => {
    const shape = item.get(leaf, 'shape');
    return shape ? `${String(shape.length).padStart(3)} ${shape.map((n) => String(n).padStart(16)).join(' ')}`
        : item.valueText(leaf);
  }),
  draw(cell, at) {
    const text = at.leaf < 0 ? `= ${at.item.pathOf(at.item.targetOf.get(at.node))}`
      : at.item.isTensor(at.leaf) ? formatShape(at.item.get(at.leaf, 'shape')) : at.item.valueText(at.leaf);
    cell.append(bdi(shorten(text, 200)));
    cell.title = shorten(text, 1000);
  },
};

const parametersColumn = statistic('parameters', 'Parameters', 'How many numbers', 92, 7, formatCount);
const bytesColumn = statistic('bytes', 'Bytes', 'Bytes of the tensor in memory', 78, 1, formatBytes);

const shareColumn = {
  id: 'share', label: 'Share', title: 'Share of the bytes of the item', width: 96, last: 8,
  right: true, falling: true, sort: bytesColumn.sort,
  draw(cell, at) {
    if (at.leaf < 0 || !at.item.isTensor(at.leaf)) return;
    const bytes = at.item.weight(at.leaf);
    const whole = at.item.sum(0, 'bytes');
    const bar = el('i');
    bar.style.width = `${whole > 0 ? 100 * bytes / whole : 0}%`;
    cell.append(el('div', { class: 'share' }, el('span', { class: 'meter', 'aria-hidden': 'true' }, bar),
        formatShare(bytes, whole)));
  },
};

const histogramColumn = pictureColumn('spread', 'Distribution',
  'Histogram from the least to the greatest number; sorts by the deviation', 100, 2.4,
  (item, leaf) => item.get(leaf, 'std'), sparkHistogram);

// Returns notes about a leaf; the weight is their importance.
function notesOf({ item, node, leaf }) {
  const notes = [];
  if (leaf < 0) return [{ text: 'alias', weight: 2 }];
  const [nan, inf] = [item.get(leaf, 'nan'), item.get(leaf, 'inf')];
  if (nan > 0) notes.push({ text: `${formatShort(nan)} NaN`, kind: 'warn', weight: 100 });
  if (inf > 0) notes.push({ text: `${formatShort(inf)} Inf`, kind: 'warn', weight: 90 });
  if (item.aliasesOf.has(node)) notes.push({ text: 'tied', weight: 5 });
  if (item.isConstant(leaf)) notes.push({ text: item.get(leaf, 'max') === 0 ? 'all zero' : 'constant', weight: 4 });
  if (!item.isTensor(leaf)) notes.push({ text: 'static', weight: 1 });
  for (const tag of item.tagsOf.get(node) ?? []) notes.push({ text: shorten(tag, 24), weight: 0.1 });
  return notes;
}

const notesColumn = {
  id: 'notes', label: 'Notes', title: 'NaN, infinite numbers, ties, constants, tags',
  width: 128, last: 1.5, falling: true,
  sort(at) {
    const notes = notesOf(at);
    return notes.length ? notes.reduce((sum, note) => sum + note.weight, 0) : null;
  },
  draw(cell, at) {
    const notes = notesOf(at);
    cell.title = notes.map((note) => note.text).join(', ');
    cell.append(...notes.map((note) => el('span', { class: note.kind ? `badge ${note.kind}` : 'badge' },
      bdi(note.text))));
  },
};

const WHATS = {
  same: 'the same', numbers: 'numbers', value: 'value', added: 'only after', removed: 'only before', dtype: 'dtype',
  shape: 'shape', kind: 'kind',
};

const whatColumn = {
  id: 'what', label: 'Differs in', title: 'What differs between before and after',
  width: 92, last: 0.5, falling: false,
  sort: ofLeaf((item, leaf) => ['kind', 'shape', 'dtype', 'added', 'removed', 'value', 'numbers', 'same']
    .indexOf(item.change.what[leaf])),
  draw(cell, at) {
    if (at.leaf < 0) return;
    const what = at.item.change.what[at.leaf];
    if (what === 'same') cell.append(el('span', { class: 'muted' }, WHATS.same));
    else cell.append(el('span', { class: what === 'numbers' || what === 'value' ? 'badge accent' : 'badge warn' },
        WHATS[what]));
  },
};

const changeOf = (name) => (item, leaf) => decodeNumber(item.change[name][leaf]);

const compareColumns = [
  numberColumn('relative', 'Change', 'Norm of the change, over that of the numbers before', 80, 0.8,
    (item, leaf) => item.relativeChange(leaf), formatRatio),
  numberColumn('delta', '‖Δ‖', 'Norm (L2) of the change', 78, 2.5, changeOf('l2')),
  numberColumn('max_abs', 'Max |Δ|', 'Largest change of a number', 78, 2.7, changeOf('max_abs')),
  numberColumn('differing', 'Differ', 'How many of the numbers differ', 70, 5,
    (item, leaf) => {
      const count = item.get(leaf, 'count');
      const differing = item.change.differing[leaf];
      return differing === null || !count ? null : differing / count;
    }, formatRatio),
  numberColumn('before', 'L2 before', 'Norm before', 78, 5.5, (item, leaf) => item.getOn(0, leaf, 'l2')),
  numberColumn('after', 'L2 after', 'Norm after', 78, 5.4, (item, leaf) => item.getOn(1, leaf, 'l2')),
];

const seriesColumn = pictureColumn('series', 'L2 over steps', 'Norm at each step; sorts by how much it changed', 104, 2,
  seriesChange, (item, leaf) => (item.isTensor(leaf) ? sparkLine(item.series.l2[leaf].map(decodeNumber)) : null));
const movedColumn = numberColumn('moved', 'Moved', 'How much the norm changed from the first step to the last', 74,
    2.6, seriesChange, formatRatio);

function columnsOf(item) {
  const l2 = statistic('l2', 'L2', 'Norm (L2) of the finite numbers', 76, 2.2);
  const moments = [
    statistic('mean', 'Mean', 'Mean of the finite numbers', 80, 5),
    statistic('std', 'Std', 'Standard deviation', 76, 4.5),
    statistic('min', 'Min', 'Least finite number', 80, 6),
    statistic('max', 'Max', 'Greatest finite number', 80, 6.1),
  ];
  if (item.mode === 'compare') {
    return [pathColumn, whatColumn, dtypeColumn, shapeColumn, bytesColumn, ...compareColumns, histogramColumn,
        notesColumn];
  }
  const numbers = item.series ? [l2, seriesColumn, movedColumn, ...moments] : [l2, ...moments];
  return [pathColumn, dtypeColumn, shapeColumn, parametersColumn, bytesColumn, shareColumn, ...numbers,
      histogramColumn, notesColumn];
}

// The columns of the table of leaves, by the kind of report.
//
// A column has: id, label, title, width in pixels, `last` (columns with larger values are left out first where space is
// short; the details have all of them), `sort` (returns the value of a row; null is last), `draw` (returns the content of
// a cell), and may have `hint` (returns its title), `kind` (its class: `right` for numbers), `falling` (the first click
// sorts in descending order).

// Returns a row for columns; `leaf` is -1 for an alias.
const rowOf = (item, row) => {
  const node = item.rowNodes[row];
  return { item, row, node, leaf: item.leafOf[node] };
};

const ofLeaf = (value) => ({ item, leaf }) => (leaf < 0 ? null : value(item, leaf));

// Makes a column that is empty for an alias.
const leafColumn = (id, label, title, width, last, value, content, others = {}) =>
  ({ id, label, title, width, last, sort: ofLeaf(value), draw: ofLeaf(content), ...others });

const numberColumn = (id, label, title, width, last, value, format = formatNumber) =>
  leafColumn(id, label, title, width, last, value,
    (item, leaf) => item.isTensor(leaf) && format(value(item, leaf)), { kind: 'right', falling: true });

const statistic = (id, label, title, width, last, format) =>
  numberColumn(id, label, title, width, last, (item, leaf) => item.get(leaf, id), format);

// `value` is for the order; `picture` returns an SVG, or null.
const pictureColumn = (id, label, title, width, last, value, picture) =>
  leafColumn(id, label, title, width, last, value, picture, { kind: 'graphic', falling: true });

// Highlights the longest word of the search.
function highlighted(text, words) {
  const small = text.toLowerCase();
  if (small.length !== text.length) return text;
  const [best] = words.filter((word) => small.includes(word)).sort((a, b) => b.length - a.length);
  if (!best) return text;
  const at = small.indexOf(best);
  return [text.slice(0, at), el('mark', {}, text.slice(at, at + best.length)), text.slice(at + best.length)];
}

const pathColumn = {
  id: 'path', label: 'Path', title: 'Path, in the order of the tree', width: 0, last: 0, kind: 'path-cell',
  sort: ({ row }) => row,
  hint: ({ item, node }) => item.pathOf(node),
  draw({ item, row, node, leaf }, table) {
    const keys = item.keysOf(node);
    const name = keys.pop() ?? '(root)';
    const prefix = keys.map((key) => `${key}.`).join('');
    return [
      el('span', { class: 'twist', 'aria-hidden': 'true' }, table.open.has(row) ? '▼' : '▶'),
      item.leaves.group && leaf >= 0 && swatch(item.groupFill(item.groupOf(leaf))),
      el('span', { class: 'path' }, el('bdi', { class: 'prefix' }, highlighted(prefix, table.words)),
        el('bdi', { class: 'name' }, highlighted(name, table.words))),
    ];
  },
};

const dtypeColumn = leafColumn('dtype', 'Dtype', 'Dtype of the numbers; of a static leaf the kind of its value', 56, 4,
  (item, leaf) => item.get(leaf, 'dtype'), (item, leaf) => item.get(leaf, 'dtype'));

// Returns the shape, the value of a static leaf, or the owner of an alias.
function shapeText({ item, node, leaf }) {
  if (leaf < 0) return `= ${item.pathOf(item.targetOf.get(node))}`;
  return item.isTensor(leaf) ? formatShape(item.get(leaf, 'shape')) : item.valueText(leaf);
}

const shapeColumn = {
  id: 'shape', label: 'Shape or value', width: 132, last: 2,
  title: 'Shape; of a static leaf its value; of an alias the leaf it is tied to',
  sort: ofLeaf((item, leaf) => {
    const shape = item.get(leaf, 'shape');
    return shape ? `${String(shape.length).padStart(3)} ${shape.map((n) => String(n).padStart(16)).join(' ')}`
        : item.valueText(leaf);
  }),
  hint: (at) => shorten(shapeText(at), 1000),
  draw: (at) => bdi(shorten(shapeText(at), 200)),
};

const parametersColumn = statistic('parameters', 'Parameters', 'How many numbers', 92, 7, formatCount);
const bytesColumn = statistic('bytes', 'Bytes', 'Bytes of the tensor in memory', 78, 1, formatBytes);

const shareColumn = leafColumn('share', 'Share', 'Share of the bytes of the item', 96, 8,
  (item, leaf) => item.get(leaf, 'bytes'),
  (item, leaf) => {
    if (!item.isTensor(leaf)) return null;
    const [bytes, whole] = [item.weight(leaf), item.sum(0, 'bytes')];
    const bar = el('i', { style: { width: `${whole > 0 ? 100 * bytes / whole : 0}%` } });
    return el('div', { class: 'share' }, el('span', { class: 'meter', 'aria-hidden': 'true' }, bar),
      formatShare(bytes, whole));
  }, { kind: 'right', falling: true });

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
  sort: (at) => notesOf(at).reduce((sum, { weight }) => sum + weight, null),
  hint: (at) => notesOf(at).map(({ text }) => text).join(', '),
  draw: (at) => notesOf(at).map(({ text, kind = '' }) => el('span', { class: `badge ${kind}` }, bdi(text))),
};

// What may differ, in words, in the order of the column.
const WHATS = {
  kind: 'kind', shape: 'shape', dtype: 'dtype', added: 'only after', removed: 'only before', value: 'value',
  numbers: 'numbers', same: 'the same',
};

const whatColumn = leafColumn('what', 'Differs in', 'What differs between before and after', 92, 0.5,
  (item, leaf) => Object.keys(WHATS).indexOf(item.change.what[leaf]),
  (item, leaf) => {
    const what = item.change.what[leaf];
    const name = { same: 'muted', numbers: 'badge accent', value: 'badge accent' }[what] ?? 'badge warn';
    return el('span', { class: name }, WHATS[what]);
  });

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

const seriesColumns = [
  pictureColumn('series', 'L2 over steps', 'Norm at each step; sorts by how much it changed', 104, 2,
    (item, leaf) => item.seriesChange(leaf),
    (item, leaf) => item.isTensor(leaf) && sparkLine(item.series.l2[leaf].map(decodeNumber))),
  numberColumn('moved', 'Moved', 'How much the norm changed from the first step to the last', 74, 2.6,
    (item, leaf) => item.seriesChange(leaf), formatRatio),
];

function columnsOf(item) {
  if (item.mode === 'compare') {
    return [pathColumn, whatColumn, dtypeColumn, shapeColumn, bytesColumn, ...compareColumns, histogramColumn,
        notesColumn];
  }
  return [
    pathColumn, dtypeColumn, shapeColumn, parametersColumn, bytesColumn, shareColumn,
    statistic('l2', 'L2', 'Norm (L2) of the finite numbers', 76, 2.2),
    ...(item.series ? seriesColumns : []),
    statistic('mean', 'Mean', 'Mean of the finite numbers', 80, 5),
    statistic('std', 'Std', 'Standard deviation', 76, 4.5),
    statistic('min', 'Min', 'Least finite number', 80, 6),
    statistic('max', 'Max', 'Greatest finite number', 80, 6.1),
    histogramColumn, notesColumn,
  ];
}

// The panels around the treemap and the table: facts, warnings, groups, steps, and the files.

const fact = (name, value, small, warn = false) => el('div', {}, el('dt', {}, name),
  el('dd', { class: warn && 'warn-text' }, value, small && el('small', {}, small)));
const section = (title, ...children) => el('div', {}, el('h3', {}, title), ...children);
const pair = (name, value) => [el('dt', {}, bdi(String(name))), el('dd', {}, bdi(shorten(String(value), 4000)))];
const pairsOf = (fields, format = String) => Object.entries(fields).map(([name, value]) => pair(name, format(value)));
// Makes a table; column `extra` is left out in a narrow window.
const tableOf = (name, titles, body, extra) => el('table', { class: `plain ${name}` },
  el('thead', {}, rowOfCells('th', titles, extra)), body);
const rowOfCells = (tag, cells, extra) => el('tr', {}, cells.map((cell, i) =>
  el(tag, { scope: tag === 'th' && 'col', class: i === extra && 'extra' }, cell)));

function drawFacts(report, item) {
  const now = item.totals.findLast(Boolean);
  const odd = item.sum(0, 'odd');
  const names = dtypeSums(item).map(({ dtype }) => dtype).filter((dtype) => dtype !== 'static');
  const dtypes = names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more dtypes` : '');
  const others = [
    now.tensors < now.leaves && `${formatCount(now.leaves - now.tensors)} static`,
    item.aliases.node.length > 0 && `${formatCount(item.aliases.node.length)} tied besides`,
  ].filter(Boolean).join(', ');
  setContent('facts',
    fact('Parameters', formatShort(now.parameters), now.parameters >= 1e4 && formatCount(now.parameters)),
    fact('Bytes', formatBytes(now.bytes), now.stored !== now.bytes ? `${formatBytes(now.stored)} stored` : dtypes),
    fact('Leaves', formatCount(now.leaves), others || 'all tensors'),
    fact('L2 norm', formatNumber(Math.sqrt(item.sum(0, 'squares'))), 'of floating numbers'),
    item.change && changeFacts(item),
    item.series && stepsFact(item.series.steps),
    odd > 0 ? fact('NaN or infinite', countOf(odd, 'leaf', 'leaves'), 'have such numbers', true)
      : fact('NaN or infinite', 'none', item.sum(0, 'bytes') === 0 && 'no numbers'));
}

const stepsFact = (steps) =>
  fact('Steps', formatCount(steps.length), `${formatCount(steps[0])} to ${formatCount(steps.at(-1))}`);

function changeFacts(item) {
  const count = (...whats) => item.change.what.filter((what) => whats.includes(what)).length;
  const parts = [[count('same'), 'the same'], [count('added'), 'only after'], [count('removed'), 'only before'],
    [count('dtype', 'shape', 'kind'), 'of another form']].filter(([n]) => n > 0);
  const l2 = (leaf) => decodeNumber(item.change.l2[leaf]);
  const leaves = item.leafIndexes.filter((leaf) => l2(leaf) !== null && item.isFloating(leaf));
  const normOf = (valueOf) => Math.sqrt(leaves.reduce((sum, leaf) => sum + valueOf(leaf) ** 2, 0));
  const [change, before] = [normOf(l2), normOf((leaf) => item.getOn(0, leaf, 'l2'))];
  return [
    fact('Leaves that differ', formatCount(item.leafIndexes.length - count('same')),
      parts.map(([n, text]) => `${formatCount(n)} ${text}`).join(', ')),
    fact('Change', before > 0 ? formatRatio(change / before) : formatNumber(change),
      `‖Δ‖ ${formatNumber(change)}${before > 0 ? ` of ${formatNumber(before)}` : ''}`),
  ];
}

// Returns the sums of the leaves of each dtype, the most bytes first; static leaves are one dtype.
function dtypeSums(item) {
  const sums = new Map();
  for (const leaf of item.leafIndexes) {
    const dtype = item.isTensor(leaf) ? item.get(leaf, 'dtype') : 'static';
    const sum = cached(sums, dtype, () => ({ dtype, leaves: 0, parameters: 0, bytes: 0 }));
    ++sum.leaves;
    sum.parameters += item.get(leaf, 'parameters') ?? 0;
    sum.bytes += item.weight(leaf);
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
}

function drawWarnings(report, item, show) {
  const notices = [
    ...(report.skipped ?? []).map(({ step, why }) => `Step ${formatCount(step)} is not in this report: ${why}`),
    ...report.notes,
    item.root_group !== null && `The filter of group ${item.root_group} matched the root, so the group has every leaf.`,
    ...(item.change?.structure ?? []).map((line) => `Structure: ${line}`),
  ].filter(Boolean).map((text) => bdi(text));
  const odd = item.sum(0, 'odd');
  setContent('warnings',
    odd > 0 && el('div', { class: 'notice warn' },
      `${countOf(odd, 'leaf has', 'leaves have')} NaN or infinite numbers. `,
      el('button', { class: 'link', type: 'button', onclick: () => show('odd') }, 'Show them')),
    notices.length === 1 && el('div', { class: 'notice' }, notices),
    notices.length > 1 && el('div', { class: 'notice limited' }, el('ul', {}, notices.map((text) => el('li', {}, text)))));
}

// Calls `pick(group)` with an index, or null to deselect the group.
function drawGroups(item, picked, pick) {
  if (!item.leaves.group) {
    setContent('groups-body', el('p', { class: 'empty' }, 'No groups were saved with this item. ',
      'To see some, name them by filters: ', el('code', {},
        "--group 'bias=**.bias' --group 'attention=layers.*.attn.**'")), dtypeTable(item));
    return;
  }
  const whole = item.groups.reduce((sum, group) => sum + group.bytes, 0);
  const stack = item.groups.map(({ bytes }, i) => bytes > 0 && el('i', { title: item.groupName(i),
    style: { background: colourOf(item.groupFill(i)), flexGrow: bytes / whole } }));
  setContent('groups-body', el('div', { class: 'stack', 'aria-hidden': 'true' }, stack),
    tableOf('groups', [item.groups_saved ? 'Group, as saved' : 'Group, by filter', 'Leaves', 'Bytes', 'Share'],
      item.groups.map((group, i) => groupRows(item, group, i, whole, picked, pick))),
    dtypeTable(item));
}

// Makes two rows; the second has the statistics.
function groupRows(item, group, i, whole, picked, pick) {
  const name = item.groupName(i);
  const odd = group.nan + group.inf;
  const stat = (title, id) => [' · ', el('span', {}, `${title} ${formatNumber(decodeNumber(group[id]), 3)}`)];
  const stats = group.tensors === 0 ? 'no tensors' : [el('span', {}, `${formatShort(group.parameters)} numbers`),
    stat('L2', 'l2'), stat('mean', 'mean'), stat('std', 'std')];
  const button = el('button', { class: 'group-button', type: 'button', 'aria-pressed': String(picked === i),
    title: `Only the leaves of ${name}`, onclick: () => pick(picked === i ? null : i) },
  swatch(item.groupFill(i)), bdi(name, { class: 'name' }));
  const cells = [button, formatCount(group.leaves), formatBytes(group.bytes), formatShare(group.bytes, whole)];
  return el('tbody', {}, rowOfCells('td', cells),
    el('tr', { class: 'second' }, el('td', { colspan: 4 }, stats,
      odd > 0 && [' · ', el('span', { class: 'warn-text' }, `${formatCount(odd)} NaN or infinite`)])));
}

function dtypeTable(item) {
  const rows = dtypeSums(item).map(({ dtype, leaves, parameters, bytes }) => rowOfCells('td', [dtype,
    formatCount(leaves), formatShort(parameters), formatBytes(bytes), formatShare(bytes, item.sum(0, 'bytes'))], 2));
  return rows.length > 0 && tableOf('', ['By dtype', 'Leaves', 'Parameters', 'Bytes', 'Share'],
    el('tbody', {}, rows), 2);
}

// Returns the common norm of some leaves at each step; null where none of them exists.
function seriesOf(item, leaves, column) {
  return item.series.steps.map((_, step) => {
    const values = leaves.map((leaf) => decodeNumber(item.series[column][leaf][step])).filter(Number.isFinite);
    return values.length ? Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) : null;
  });
}

// Returns the leaves by group, or without groups by the first key; the eight largest lines, and one for all others.
function linesOf(item) {
  const parts = new Map();
  for (const leaf of item.leafIndexes) {
    if (!item.isFloating(leaf)) continue;
    const grouped = item.leaves.group;
    const name = grouped ? item.groupName(item.groupOf(leaf)) : item.keysOf(item.leaves.node[leaf])[0] ?? '(root)';
    const fill = grouped && item.groupFill(item.groupOf(leaf));
    const part = cached(parts, name, () => ({ name, fill, leaves: [], bytes: 0 }));
    part.leaves.push(leaf);
    part.bytes += item.weight(leaf);
  }
  const lines = [...parts.values()].sort((a, b) => b.bytes - a.bytes);
  lines.forEach((line, i) => { line.fill ??= categoryFill(i); });
  const others = lines.length > PALETTE ? lines.splice(PALETTE - 1) : [];
  if (others.length) {
    lines.push({ name: `${others.length} others`, fill: 'c-rest', leaves: others.flatMap(({ leaves }) => leaves) });
  }
  return lines;
}

// Views: id, name, the column of `series`, and the change of its values.
const STEP_VIEWS = [
  ['l2', 'L2 norm', 'l2', (values) => values],
  ['relative', 'L2 relative to the first step', 'l2', (values) => {
    const first = values.find((value) => value > 0);
    return values.map((value) => (value === null || !first ? null : value / first));
  }],
  ['change', 'Norm of the change since the step before', 'change', (values) => values],
];

function drawSteps(report, item) {
  byId('steps').hidden = !item.series;
  if (!item.series) return;
  const select = setContent('steps-what', optionsOf(STEP_VIEWS));
  const lines = linesOf(item);
  const { steps } = item.series;
  const metrics = Object.entries(report.metrics);
  select.onchange = () => {
    const [, name, column, change] = STEP_VIEWS[select.selectedIndex];
    setContent('steps-charts',
      lines.length > 0 && lineChart({ title: `${name}, by ${item.leaves.group ? 'group' : 'first key'}`, steps,
        lines: lines.map((line) => ({ ...line, label: true, values: change(seriesOf(item, line.leaves, column)) })) }),
      metrics.map(([title, values]) => lineChart({ title, steps,
        lines: [{ name: title, fill: 'accent', values: values.map(decodeNumber) }] })));
  };
  select.onchange();
}

function drawAbout(report, item) {
  const { files, mode, verified } = report;
  const titleOf = (file, i) => (files.length > 1 ? ['Before', 'After'][i] : 'File');
  const owners = [...item.aliasesOf].sort(([a], [b]) => a - b);
  const path = (node) => pathText(item.pathOf(node));
  setContent('more-body', files.map((file, i) => section(titleOf(file, i), el('dl', { class: 'pairs' },
    pair('Name', file.name), pair('Size', formatBytes(file.bytes)), pair('Format', file.format),
    pair('Checksums', !file.has_checksums ? 'the format has none'
      : verified ? 'checked for every tensor shown' : 'not checked'),
    pairsOf(file.metrics, (value) => formatNumber(decodeNumber(value), 6)), pairsOf(file.metadata),
    file.bases.length > 0 && pair('Earlier files it needs', file.bases.join(', '))))),
  owners.length > 0 && section('Tied parameters',
    el('div', { class: 'limited', tabindex: '0', role: 'region', 'aria-label': 'Tied parameters' },
      tableOf('text', ['Leaf', 'Also known as'], el('tbody', {}, owners.map(([owner, aliases]) =>
        rowOfCells('td', [path(owner), aliases.map((alias) => el('div', {}, path(alias)))])))))),
  Object.keys(item.metadata).length > 0 &&
    section('Metadata of the item', el('dl', { class: 'pairs' }, pairsOf(item.metadata))),
  section('How to read it', el('p', { class: 'muted' },
    'Bytes are those of tensors in memory; a tied leaf counts once, under its owner. Statistics are of the finite ' +
    'numbers; NaN and infinite ones are counted apart. L2 is the root of the sum of squares, RMS the root of their mean. ' +
    (mode === 'compare' ? 'Δ is after minus before, number by number. ' : '') +
    'This page is one file and asks no network for anything.')));
}

// The panels around the treemap and the table: facts, warnings, groups, steps, and the files.

const fact = (name, value, small, warn = false) => el('div', {}, el('dt', {}, name),
  el('dd', { class: warn ? 'warn-text' : null }, value, small ? el('small', {}, small) : null));
const section = (title, ...children) => el('div', {}, el('h3', {}, title), ...children);
const pair = (name, value) => [el('dt', {}, bdi(String(name))), el('dd', {}, bdi(shorten(String(value), 4000)))];
const pairsOf = (fields, format = String) =>
  Object.entries(fields ?? {}).map(([name, value]) => pair(name, format(value)));
const headOf = (names, extra = -1) => el('thead', {}, el('tr', {}, names.map((name, i) =>
  el('th', { scope: 'col', class: i === extra ? 'extra' : null }, name))));

function drawFacts(report, item) {
  const bytes = item.sum(0, 'bytes');
  const now = item.totals[item.totals.length - 1];
  const odd = item.sum(0, 'odd');
  byId('facts').replaceChildren(
    fact('Parameters', formatShort(now.parameters), now.parameters >= 1e4 ? formatCount(now.parameters) : null),
    fact('Bytes', formatBytes(now.bytes),
      now.stored !== now.bytes ? `${formatBytes(now.stored)} stored` : dtypesText(item)),
    fact('Leaves', formatCount(now.leaves), leavesText(item, now)),
    fact('L2 norm', formatNumber(Math.sqrt(item.sum(0, 'squares'))), 'of floating numbers'),
    ...(item.change ? changeFacts(item) : []),
    ...(item.series ? [fact('Steps', formatCount(item.series.steps.length), stepsText(item))] : []),
    odd > 0 ? fact('NaN or infinite', countOf(odd, 'leaf', 'leaves'), 'have such numbers', true)
      : fact('NaN or infinite', 'none', bytes > 0 ? null : 'no numbers'));
}

// Returns the sums of the leaves of each dtype, the most bytes first; static leaves are one dtype.
function dtypeSums(item) {
  const sums = new Map();
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    const dtype = item.isTensor(leaf) ? item.get(leaf, 'dtype') : 'static';
    const sum = cached(sums, dtype, () => ({ dtype, leaves: 0, parameters: 0, bytes: 0 }));
    ++sum.leaves;
    sum.parameters += item.get(leaf, 'parameters') ?? 0;
    sum.bytes += item.weight(leaf);
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
}

function dtypesText(item) {
  const names = dtypeSums(item).map(({ dtype }) => dtype).filter((dtype) => dtype !== 'static');
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more dtypes` : '');
}

function leavesText(item, totals) {
  const parts = [];
  if (totals.tensors < totals.leaves) parts.push(`${formatCount(totals.leaves - totals.tensors)} static`);
  if (item.aliases.node.length) parts.push(`${formatCount(item.aliases.node.length)} tied besides`);
  return parts.join(', ') || 'all tensors';
}

const stepsText = ({ series: { steps } }) => `${formatCount(steps[0])} to ${formatCount(steps.at(-1))}`;

function changeFacts(item) {
  const counts = new Map();
  for (const what of item.change.what) counts.set(what, (counts.get(what) ?? 0) + 1);
  const count = (...whats) => whats.reduce((sum, what) => sum + (counts.get(what) ?? 0), 0);
  const parts = [[count('same'), 'the same'], [count('added'), 'only after'], [count('removed'), 'only before'],
    [count('dtype', 'shape', 'kind'), 'of another form']].filter(([n]) => n > 0);
  let [squares, before] = [0, 0];
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    const l2 = decodeNumber(item.change.l2[leaf]);
    if (l2 === null || !item.isFloating(leaf)) continue;
    squares += l2 * l2;
    before += item.getOn(0, leaf, 'l2') ** 2;
  }
  return [
    fact('Leaves that differ', formatCount(item.leafCount - count('same')),
      parts.map(([n, text]) => `${formatCount(n)} ${text}`).join(', ')),
    fact('Change', before > 0 ? formatRatio(Math.sqrt(squares / before)) : formatNumber(Math.sqrt(squares)),
      `‖Δ‖ ${formatNumber(Math.sqrt(squares))}${before > 0 ? ` of ${formatNumber(Math.sqrt(before))}` : ''}`),
  ];
}

function drawWarnings(report, item, show) {
  const notices = [
    ...(report.skipped ?? []).map(({ step, why }) => `Step ${formatCount(step)} is not in this report: ${why}`),
    ...(report.notes ?? []),
    ...(isNone(item.took_root) ? []
      : [`The filter of group ${item.took_root} matched the root, and so has every leaf.`]),
    ...(item.change?.structure ?? []).map((line) => `Structure: ${line}`),
  ];
  const parts = [];
  const odd = item.sum(0, 'odd');
  if (odd > 0) {
    parts.push(el('div', { class: 'notice warn' },
        `${countOf(odd, 'leaf has', 'leaves have')} NaN or infinite numbers. `,
      el('button', { class: 'link', type: 'button', onclick: () => show('odd') }, 'Show them')));
  }
  if (notices.length === 1) parts.push(el('div', { class: 'notice' }, bdi(notices[0])));
  if (notices.length > 1) {
    parts.push(el('div', { class: 'notice limited' }, el('ul', {}, notices.map((text) => el('li', {}, bdi(text))))));
  }
  byId('warnings').replaceChildren(...parts);
}

// Calls `pick(group)` with an index, or null to deselect the group.
function drawGroups(item, picked, pick) {
  const body = byId('groups-body');
  if (!item.leaves.group) {
    body.replaceChildren(el('p', { class: 'empty' }, 'No groups were saved with this item. ',
      'To see some, name them by filters: ', el('code', {},
          "--group 'bias=**.bias' --group 'attention=layers.*.attn.**'")),
    dtypeTable(item) ?? '');
    return;
  }
  const whole = item.groups.reduce((sum, group) => sum + group.bytes, 0);
  const stack = el('div', { class: 'stack', 'aria-hidden': 'true' }, item.groups.map((group, i) => {
    const part = el('i', { class: `fill-${item.groupFill(i)}`, title: item.groupName(i) });
    part.style.flexGrow = String(whole > 0 ? group.bytes / whole : 0);
    return group.bytes > 0 ? part : null;
  }));
  const table = el('table', { class: 'plain groups' },
    headOf([item.groups_saved ? 'Group, as saved' : 'Group, by filter', 'Leaves', 'Bytes', 'Share']),
    item.groups.map((group, i) => groupRows(item, group, i, whole, picked, pick)));
  body.replaceChildren(stack, table, dtypeTable(item) ?? '');
}

// Makes two rows; the second has the statistics.
function groupRows(item, group, i, whole, picked, pick) {
  const name = item.groupName(i);
  const odd = group.nan + group.inf;
  const stat = (name) => `${name} ${formatNumber(decodeNumber(group[name.toLowerCase()]), 3)}`;
  const stats = group.tensors > 0
    ? [`${formatShort(group.parameters)} numbers`, ...['L2', 'mean', 'std'].map(stat)]
      .flatMap((text, at) => [at ? ' · ' : '', el('span', {}, text)]) : 'no tensors';
  const button = el('button', { class: 'group-button', type: 'button', 'aria-pressed': String(picked === i),
    title: `Only the leaves of ${name}`, onclick: () => pick(picked === i ? null : i) },
  swatch(item.groupFill(i)), bdi(name, { class: 'name' }));
  const cells = [button, formatCount(group.leaves), formatBytes(group.bytes), formatShare(group.bytes, whole)];
  return el('tbody', {}, el('tr', {}, cells.map((cell) => el('td', {}, cell))),
    el('tr', { class: 'second' }, el('td', { colspan: 4 }, stats,
      odd > 0 ? [' · ', el('span', { class: 'warn-text' }, `${formatCount(odd)} NaN or infinite`)] : null)));
}

function dtypeTable(item) {
  const sums = dtypeSums(item);
  if (sums.length === 0) return null;
  const cellsOf = ({ dtype, leaves, parameters, bytes }) => [dtype, formatCount(leaves), formatShort(parameters),
    formatBytes(bytes), formatShare(bytes, item.sum(0, 'bytes'))];
  return el('table', { class: 'plain' }, headOf(['By dtype', 'Leaves', 'Parameters', 'Bytes', 'Share'], 2),
    el('tbody', {}, sums.map((sum) => el('tr', {}, cellsOf(sum).map((text, i) =>
      el('td', { class: i === 2 ? 'extra' : null }, text))))));
}

// Returns the common norm of some leaves at each step; null where none of them exists.
function seriesOf(item, leaves, column) {
  return item.series.steps.map((_, step) => {
    let [squares, any] = [0, false];
    for (const leaf of leaves) {
      const value = decodeNumber(item.series[column][leaf][step]);
      if (!Number.isFinite(value)) continue;
      any = true;
      squares += value * value;
    }
    return any ? Math.sqrt(squares) : null;
  });
}

// Returns the leaves by group, or without groups by the first key; the eight largest lines, and one for all others.
function linesOf(item) {
  const parts = new Map();
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    if (!item.isFloating(leaf)) continue;
    const name = item.leaves.group ? item.groupName(item.groupOf(leaf))
        : item.keysOf(item.leaves.node[leaf])[0] ?? '(root)';
    const fill = item.leaves.group ? item.groupFill(item.groupOf(leaf)) : null;
    const part = cached(parts, name, () => ({ name, fill, leaves: [], bytes: 0 }));
    part.leaves.push(leaf);
    part.bytes += item.weight(leaf);
  }
  const lines = [...parts.values()].sort((a, b) => b.bytes - a.bytes);
  lines.forEach((line, i) => { line.fill ??= i < 8 ? `c${i}` : 'rest'; });
  if (lines.length <= 8) return lines;
  const others = lines.slice(7);
  return [...lines.slice(0, 7), { name: `${others.length} others`, fill: 'rest',
      leaves: others.flatMap((line) => line.leaves) }];
}

// Names of the views, the column of `series`, and the change of its values.
const STEP_VIEWS = {
  l2: ['L2 norm', 'l2', (values) => values],
  relative: ['L2 relative to the first step', 'l2', (values) => {
    const first = values.find((value) => value > 0);
    return values.map((value) => (value === null || !first ? null : value / first));
  }],
  change: ['Norm of the change since the step before', 'change', (values) => values],
};

function drawSteps(report, item) {
  byId('steps').hidden = !item.series;
  if (!item.series) return;
  const select = byId('steps-what');
  select.replaceChildren(...Object.entries(STEP_VIEWS).map(([id, [name]]) => el('option', { value: id }, name)));
  const lines = linesOf(item);
  const draw = () => {
    const [name, column, change] = STEP_VIEWS[select.value];
    const format = (value) => formatNumber(value);
    const chart = (title, steps, some) => lineChart({ title, steps, lines: some, format });
    const charts = Object.entries(report.metrics ?? {}).map(([metric, values]) =>
      chart(metric, report.steps, [{ name: metric, fill: 'accent', values: values.map(decodeNumber) }]));
    if (lines.length) {
      charts.unshift(chart(`${name}, by ${item.leaves.group ? 'group' : 'first key'}`, item.series.steps,
        lines.map((line) => ({ ...line, label: true, values: change(seriesOf(item, line.leaves, column)) }))));
    }
    byId('steps-charts').replaceChildren(...charts);
  };
  select.onchange = draw;
  draw();
}

function drawAbout(report, item) {
  const titleOf = (file, i) => (report.files.length === 1 ? 'File'
    : report.mode === 'compare' ? ['Before', 'After'][i] : `Step ${file.step}`);
  const parts = report.files.map((file, i) => section(titleOf(file, i), el('dl', { class: 'pairs' },
    pair('Name', file.name), pair('Size', formatBytes(file.bytes)), pair('Format', file.format),
    pair('Checksums', !file.has_checksums ? 'the format has none' : report.verified
      ? 'checked for every tensor shown' : 'not checked'),
    pairsOf(file.metrics, (value) => formatNumber(decodeNumber(value), 6)), pairsOf(file.metadata),
    file.bases?.length ? pair('Earlier files it needs', file.bases.join(', ')) : null)));
  const owners = [...item.aliasesOf].sort(([a], [b]) => a - b);
  if (owners.length) {
    const rows = owners.map(([owner, aliases]) => el('tr', {}, el('td', {}, pathText(item.pathOf(owner))),
      el('td', {}, aliases.map((alias) => el('div', {}, pathText(item.pathOf(alias)))))));
    parts.push(section('Tied parameters',
      el('div', { class: 'limited', tabindex: '0', role: 'region', 'aria-label': 'Tied parameters' },
        el('table', { class: 'plain text' }, headOf(['Leaf', 'Also known as']), el('tbody', {}, rows)))));
  }
  if (Object.keys(item.metadata ?? {}).length) {
    parts.push(section('Metadata of the item', el('dl', { class: 'pairs' }, pairsOf(item.metadata))));
  }
  parts.push(section('How to read it', el('p', { class: 'muted' },
    'Bytes are those of tensors in memory; a tied leaf counts once, under its owner. Statistics are of the finite ' +
    'numbers; NaN and infinite ones are counted apart. L2 is the root of the sum of squares, RMS the root of their mean. ' +
    (report.mode === 'compare' ? 'Δ is after minus before, number by number. ' : '') +
    'This page is one file and asks no network for anything.')));
  byId('more-body').replaceChildren(...parts);
}

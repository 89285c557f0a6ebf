// The panels around the treemap and the table: facts, warnings, groups, steps, and the files.

function fact(name, value, small, warn = false) {
  return el('div', {}, el('dt', {}, name), el('dd', { class: warn ? 'warn-text' : null }, value,
      small ? el('small', {}, small) : null));
}

function drawFacts(report, item) {
  const bytes = item.sum(0, 'bytes');
  const now = item.totals[item.totals.length - 1];
  const facts = [
    fact('Parameters', formatShort(now.parameters), now.parameters >= 1e4 ? formatCount(now.parameters) : null),
    fact('Bytes', formatBytes(now.bytes), now.stored !== now.bytes
        ? `${formatBytes(now.stored)} stored` : dtypesText(item)),
    fact('Leaves', formatCount(now.leaves), leavesText(item, now)),
  ];
  const norm = Math.sqrt(item.sum(0, 'squares'));
  facts.push(fact('L2 norm', formatNumber(norm), 'of floating numbers'));
  if (item.change) facts.push(...changeFacts(item));
  if (item.series) facts.push(fact('Steps', formatCount(item.series.steps.length), stepsText(item)));
  const odd = item.sum(0, 'odd');
  facts.push(odd > 0 ? fact('NaN or infinite', countOf(odd, 'leaf', 'leaves'), 'have such numbers', true)
    : fact('NaN or infinite', 'none', bytes > 0 ? null : 'no numbers'));
  byId('facts').replaceChildren(...facts);
}

function dtypesText(item) {
  const bytes = new Map();
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    if (!item.isTensor(leaf)) continue;
    const dtype = item.get(leaf, 'dtype');
    bytes.set(dtype, (bytes.get(dtype) ?? 0) + item.weight(leaf));
  }
  const names = [...bytes.keys()].sort((a, b) => bytes.get(b) - bytes.get(a));
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more dtypes` : '');
}

function leavesText(item, totals) {
  const parts = [];
  if (totals.tensors < totals.leaves) parts.push(`${formatCount(totals.leaves - totals.tensors)} static`);
  if (item.aliases.node.length) parts.push(`${formatCount(item.aliases.node.length)} tied besides`);
  return parts.join(', ') || 'all tensors';
}

function stepsText({ series: { steps } }) {
  return `${formatCount(steps[0])} to ${formatCount(steps[steps.length - 1])}`;
}

function changeFacts(item) {
  const counts = new Map();
  for (const what of item.change.what) counts.set(what, (counts.get(what) ?? 0) + 1);
  const count = (...whats) => whats.reduce((sum, what) => sum + (counts.get(what) ?? 0), 0);
  const parts = [['same', count('same'), 'the same'], ['added', count('added'), 'only after'],
      ['removed', count('removed'), 'only before'],
    ['form', count('dtype', 'shape', 'kind'), 'of another form']].filter(([, n]) => n > 0);
  const differ = item.leafCount - count('same');
  const facts = [fact('Leaves that differ', formatCount(differ),
      parts.map(([, n, text]) => `${formatCount(n)} ${text}`).join(', '))];
  let [squares, before] = [0, 0];
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    const l2 = decodeNumber(item.change.l2[leaf]);
    if (l2 === null || !item.isFloating(leaf)) continue;
    squares += l2 * l2;
    before += item.getOn(0, leaf, 'l2') ** 2;
  }
  facts.push(fact('Change', before > 0 ? formatRatio(Math.sqrt(squares / before)) : formatNumber(Math.sqrt(squares)),
    `‖Δ‖ ${formatNumber(Math.sqrt(squares))}${before > 0 ? ` of ${formatNumber(Math.sqrt(before))}` : ''}`));
  return facts;
}

function drawWarnings(report, item, show) {
  const notices = [];
  for (const skipped of report.skipped ?? []) notices.push(`Step ${formatCount(skipped.step)} is not in this report: ${skipped.why}`);
  for (const note of report.notes ?? []) notices.push(note);
  if (item.took_root !== null && item.took_root !== undefined) {
    notices.push(`The filter of group ${item.took_root} matched the root, and so took every leaf.`);
  }
  for (const line of item.change?.structure ?? []) notices.push(`Structure: ${line}`);
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
  const heads = [item.groups_saved ? 'Group, as saved' : 'Group, by filter', 'Leaves', 'Bytes', 'Share'];
  const table = el('table', { class: 'plain groups' },
    el('thead', {}, el('tr', {}, heads.map((name) => el('th', { scope: 'col' }, name)))),
    item.groups.map((group, i) => groupRows(item, group, i, whole, picked, pick)));
  body.replaceChildren(stack, table, dtypeTable(item) ?? '');
}

// Makes two rows; the second has the statistics.
function groupRows(item, group, i, whole, picked, pick) {
  const name = item.groupName(i);
  const odd = group.nan + group.inf;
  const stat = (label, value) => `${label} ${formatNumber(decodeNumber(value), 3)}`;
  const stats = group.tensors > 0 ? [`${formatShort(group.parameters)} numbers`, stat('L2', group.l2),
      stat('mean', group.mean),
    stat('std', group.std)].flatMap((text, at) => [at ? ' · ' : '', el('span', {}, text)]) : 'no tensors';
  return el('tbody', {}, el('tr', {},
    el('td', {}, el('button', { class: 'group-button', type: 'button', 'aria-pressed': String(picked === i),
        title: `Only the leaves of ${name}`,
      onclick: () => pick(picked === i ? null : i) }, swatch(item.groupFill(i)), bdi(name, { class: 'name' }))),
    [formatCount(group.leaves), formatBytes(group.bytes),
        formatShare(group.bytes, whole)].map((text) => el('td', {}, text))),
  el('tr', { class: 'second' }, el('td', { colspan: 4 }, stats,
    odd > 0 ? [' · ', el('span', { class: 'warn-text' }, `${formatCount(odd)} NaN or infinite`)] : null)));
}

function dtypeTable(item) {
  const sums = new Map();
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    const dtype = item.isTensor(leaf) ? item.get(leaf, 'dtype') : 'static';
    if (!sums.has(dtype)) sums.set(dtype, { leaves: 0, parameters: 0, bytes: 0 });
    const sum = sums.get(dtype);
    ++sum.leaves;
    sum.parameters += item.get(leaf, 'parameters') ?? 0;
    sum.bytes += item.weight(leaf);
  }
  const rows = [...sums].sort(([, a], [, b]) => b.bytes - a.bytes);
  if (rows.length === 0) return null;
  return el('table', { class: 'plain' },
    el('thead', {}, el('tr', {}, ['By dtype', 'Leaves', 'Parameters', 'Bytes',
        'Share'].map((name, i) => el('th', { scope: 'col', class: i === 2 ? 'extra' : null }, name)))),
    el('tbody', {}, rows.map(([dtype, sum]) => el('tr', {},
        [dtype, formatCount(sum.leaves), formatShort(sum.parameters),
      formatBytes(sum.bytes), formatShare(sum.bytes, item.sum(0, 'bytes'))].map((text, i) =>
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
    if (!parts.has(name)) parts.set(name, { name, fill, leaves: [], bytes: 0 });
    const part = parts.get(name);
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

const STEP_VIEWS = {
  l2: ['L2 norm', (values) => values, (value) => formatNumber(value)],
  relative: ['L2 relative to the first step', (values) => {
    const first = values.find((value) => value > 0);
    return values.map((value) => (value === null || !first ? null : value / first));
  }, (value) => formatNumber(value)],
  change: ['Norm of the change since the step before', (values) => values, (value) => formatNumber(value)],
};

function drawSteps(report, item) {
  byId('steps').hidden = !item.series;
  if (!item.series) return;
  const select = byId('steps-what');
  select.replaceChildren(...Object.entries(STEP_VIEWS).map(([id, [name]]) => el('option', { value: id }, name)));
  const lines = linesOf(item);
  const draw = () => {
    const [name, change, format] = STEP_VIEWS[select.value];
    const column = select.value === 'change' ? 'change' : 'l2';
    const { steps } = item.series;
    const charts = [];
    if (lines.length) {
      charts.push(lineChart({ title: `${name}, by ${item.leaves.group ? 'group' : 'first key'}`, steps, format,
        lines: lines.map((line) => ({ ...line, label: true,
            values: change(seriesOf(item, line.leaves, column)) })) }));
    }
    for (const [metric, values] of Object.entries(report.metrics ?? {})) {
      charts.push(lineChart({ title: metric, steps: report.steps, format,
          lines: [{ name: metric, fill: 'accent', values: values.map(decodeNumber) }] }));
    }
    byId('steps-charts').replaceChildren(...charts);
  };
  select.onchange = draw;
  draw();
}

function drawAbout(report, item) {
  const parts = report.files.map((file, i) => el('div', {},
    el('h3', {}, report.files.length === 1 ? 'File' : report.mode === 'compare'
        ? ['Before', 'After'][i] : `Step ${file.step}`),
    el('dl', { class: 'pairs' }, pair('Name', file.name), pair('Size', formatBytes(file.bytes)),
        pair('Format', file.format),
      pair('Checksums', !file.has_checksums ? 'the format has none' : report.verified
          ? 'checked for every tensor shown' : 'not checked'),
      Object.entries(file.metrics ?? {}).map(([name, value]) => pair(name, formatNumber(decodeNumber(value), 6))),
      Object.entries(file.metadata ?? {}).map(([name, value]) => pair(name, value)),
      file.bases?.length ? pair('Earlier files it needs', file.bases.join(', ')) : null)));
  const owners = [...item.aliasesOf].sort(([a], [b]) => a - b);
  if (owners.length) {
    parts.push(el('div', {}, el('h3', {}, 'Tied parameters'),
        el('div', { class: 'limited', tabindex: '0', role: 'region', 'aria-label': 'Tied parameters' },
      el('table', { class: 'plain text' }, el('thead', {},
          el('tr', {}, ['Leaf', 'Also known as'].map((name) => el('th', { scope: 'col' }, name)))),
        el('tbody', {}, owners.map(([owner, aliases]) => el('tr', {}, el('td', {}, pathText(item.pathOf(owner))),
          el('td', {}, aliases.map((alias) => el('div', {}, pathText(item.pathOf(alias))))))))))));
  }
  const metadata = Object.entries(item.metadata ?? {});
  if (metadata.length) parts.push(el('div', {}, el('h3', {}, 'Metadata of the item'),
      el('dl', { class: 'pairs' }, metadata.map(([name, value]) => pair(name, value)))));
  parts.push(el('div', {}, el('h3', {}, 'How to read it'), el('p', { class: 'muted' },
    'Bytes are those of tensors in memory; a tied leaf counts once, under its owner. Statistics are of the finite numbers; NaN and infinite ones are counted apart. ' +
    'L2 is the root of the sum of squares, RMS the root of their mean. ' +
    (report.mode === 'compare' ? 'Δ is after minus before, number by number. ' : '') +
    'This page is one file and asks no network for anything.')));
  byId('more-body').replaceChildren(...parts);
}

const pair = (name, value) => [el('dt', {}, bdi(String(name))), el('dd', {}, bdi(shorten(String(value), 4000)))];

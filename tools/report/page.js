// The page: which item is shown, and how its parts interact.

// The rows that the table can show: id, name, and a test of a row.
const differsIn = (...whats) => ofLeaf((item, leaf) => whats.includes(item.change.what[leaf]));
const COMPARE_SHOWS = [
  ['changed', 'What differs', ofLeaf((item, leaf) => item.change.what[leaf] !== 'same')],
  ['added', 'Only after', differsIn('added')],
  ['removed', 'Only before', differsIn('removed')],
  ['form', 'Another dtype, shape or kind', differsIn('dtype', 'shape', 'kind')],
  ['same', 'The same', differsIn('same')],
];
const showsOf = ({ change }) => [
  ['all', 'All leaves', () => true],
  ...(change ? COMPARE_SHOWS : []),
  ['odd', 'NaN or infinite', ofLeaf((item, leaf) => item.isOdd(leaf))],
  ['tensors', 'Tensors', ofLeaf((item, leaf) => item.isTensor(leaf))],
  ['static', 'Static leaves', ofLeaf((item, leaf) => !item.isTensor(leaf))],
  ['tied', 'Tied', ({ item, node, leaf }) => leaf < 0 || item.aliasesOf.has(node)],
  ['constant', 'Constant', ofLeaf((item, leaf) => item.isTensor(leaf) && item.isConstant(leaf))],
];

// Makes the options of a select from lists that begin with an id and a name.
const optionsOf = (entries) => entries.map(([value, text]) => el('option', { value }, text));

class Page {
  constructor(report) {
    this.report = report;
    this.treemap = new Treemap(byId('treemap'), {
      hover: (node) => this.read(node), zoom: (node) => this.zoom(node), leaf: (node) => this.openLeaf(node),
    });
    this.table = new LeafTable(byId('table'), (count) => this.counted(count));
    this.listen();
    this.head();
    this.showItem(this.firstItem());
  }

  // Returns the item `params`, or the one with the most bytes.
  firstItem() {
    const { items } = this.report;
    const params = items.findIndex((item) => item.name === 'params');
    const bytes = items.map((item) => item.sum(0, 'bytes'));
    return params >= 0 ? params : bytes.indexOf(Math.max(...bytes));
  }

  listen() {
    byId('item').onchange = (event) => this.showItem(Number(event.target.value));
    byId('colour').onchange = () => this.colour();
    byId('show').onchange = () => this.filter();
    fill(byId('search'), {
      oninput: () => this.filter(),
      onkeydown: (event) => {
        if (event.key === 'Escape' && event.target.value) {
          event.target.value = '';
          this.filter();
        } else if (event.key === 'ArrowDown' && this.table.rows.length) {
          this.table.activate(this.table.active);
        } else {
          return;
        }
        event.preventDefault();
      },
    });
    addEventListener('keydown', (event) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey ||
          event.target.matches('input[type=search], select')) return;
      byId('search').focus();
      byId('search').select();
      event.preventDefault();
    });
    addEventListener('beforeprint', () => this.table.print(true));
    addEventListener('afterprint', () => this.table.print(false));
  }

  head() {
    const { items, mode, files: [file, after], steps } = this.report;
    const parts = mode === 'compare' ? [el('span', {}, bdi(file.name), ' → ', bdi(after.name))]
      : [bdi(file.name), formatBytes(file.bytes), file.format];
    if (mode === 'steps') parts.unshift(`Step ${formatCount(steps.at(-1))}, and the norms before`);
    setContent('subtitle', parts.map((part, i) => [i > 0 && ' · ', part]));
    byId('item-field').hidden = items.length < 2;
    setContent('item', optionsOf(items.map((item, i) => [i, `${item.name} (${formatBytes(item.sum(0, 'bytes'))})`])));
  }

  showItem(i) {
    const item = this.report.items[i];
    Object.assign(this, { item, group: null, scope: 0, shows: showsOf(item), colourings: colouringsOf(item) });
    byId('item').value = String(i);
    byId('search').value = '';
    setContent('show', optionsOf(this.shows));
    setContent('colour', optionsOf(this.colourings));
    drawFacts(this.report, item);
    drawWarnings(this.report, item, (id) => this.show(id));
    drawSteps(this.report, item);
    drawAbout(this.report, item);
    this.table.show(item, item.change ? { id: 'relative', falling: true } : { id: 'path', falling: false });
    this.treemap.show(item);
    this.colour();
    this.drawPlaces();
    // Computed in advance, so that the first letter of a search is as fast as the others.
    setTimeout(() => item.searchTexts(), 200);
  }

  colour() {
    const [, , make] = this.colourings[byId('colour').selectedIndex];
    const colouring = make();
    this.treemap.colour(colouring);
    setContent('legend', colouring.legend());
  }

  // Updates the line about the node under the pointer or selected by the keyboard.
  read(node) {
    if (node < 0) {
      setContent('readout', el('span', { class: 'muted' },
        'Point at a rectangle to read it; click to go inside. The table shows what is inside.'));
      return;
    }
    const { item } = this;
    const end = item.throughChain(node);
    const leaf = item.leafOf[end];
    const bytes = item.sum(end, 'bytes');
    const parts = [formatBytes(bytes), `${formatShare(bytes, item.sum(0, 'bytes'))} of all`,
      ...(leaf >= 0 ? this.leafParts(leaf) : this.nodeParts(end))];
    const odd = item.sum(end, 'odd');
    setContent('readout', el('bdi', { class: 'path' }, item.pathOf(end)), `  ${parts.join(' · ')}`,
      odd > 0 && el('span', { class: 'warn-text' },
        ` NaN or infinite numbers${leaf >= 0 ? '' : ` in ${countOf(odd, 'leaf', 'leaves')}`}`));
  }

  leafParts(leaf) {
    const { item } = this;
    const number = (name, id) => `${name} ${formatNumber(item.get(leaf, id))}`;
    return [`${item.get(leaf, 'dtype')} ${formatShape(item.get(leaf, 'shape'))}`,
      number('L2', 'l2'), number('mean', 'mean'), number('std', 'std'),
      item.change && `${WHATS[item.change.what[leaf]]}, ${formatRatio(item.relativeChange(leaf))}`,
      item.leaves.group && `group ${item.groupName(item.groupOf(leaf))}`].filter(isGiven);
  }

  nodeParts(node) {
    const sum = (name) => this.item.sum(node, name);
    return [countOf(this.item.leavesBelow(node), 'leaf', 'leaves'), countOf(sum('parameters'), 'parameter', 'parameters'),
      `L2 ${formatNumber(Math.sqrt(sum('squares')))}`,
      sum('changed') > 0 && `${formatCount(sum('changed'))} differ`].filter(isGiven);
  }

  zoom(node) {
    this.scope = node;
    this.treemap.zoom(node);
    this.drawPlaces();
  }

  // Shows a leaf in the table, whatever its filter.
  openLeaf(node) {
    if (!this.table.openNode(node)) {
      byId('search').value = '';
      byId('show').value = 'all';
      this.group = null;
      this.drawPlaces();
      this.table.openNode(node);
    }
    this.scrollToLeaves('nearest');
  }

  show(id) {
    byId('show').value = id;
    this.filter();
    this.scrollToLeaves('start');
    byId('leaves').focus({ preventScroll: true });
  }

  scrollToLeaves(block) {
    byId('leaves').scrollIntoView({ block, behavior: reducedMotion() ? 'auto' : 'smooth' });
  }

  drawPlaces() {
    this.drawCrumbs();
    this.drawScopes();
    drawGroups(this.item, this.group, (group) => this.pick(group));
    this.filter();
    this.read(-1);
  }

  pick(group) {
    this.group = group;
    this.drawPlaces();
    // The buttons are new.
    const buttons = byId('groups-body').querySelectorAll('.group-button');
    if (group !== null) buttons[group].focus();
  }

  drawCrumbs() {
    const { item, scope } = this;
    const nodes = [];
    for (let at = scope; at > 0; at = item.tree.parent[at]) nodes.push(at);
    if (nodes.length > 8) nodes.splice(5, nodes.length - 7);
    setContent('crumbs', [0, ...nodes.reverse()].map((node, i) => {
      const name = node === 0 ? 'all' : item.tree.key[node];
      const go = () => { this.zoom(node); byId('treemap').focus(); };
      return [i > 0 && el('span', { class: 'sep', 'aria-hidden': 'true' }, '›'),
        node === scope ? el('span', { 'aria-current': 'location', title: name }, bdi(name))
          : el('button', { type: 'button', title: name, onclick: go }, bdi(name))];
    }));
  }

  drawScopes() {
    const path = this.item.pathOf(this.scope);
    const group = `group ${this.item.groupName(this.group)}`;
    const scope = (text, what, clear) => el('span', { class: 'scope' }, bdi(text, { class: 'name' }),
      el('button', { type: 'button', 'aria-label': `Show leaves outside of ${what} too`,
          onclick: () => { clear(); byId('search').focus(); } }, '×'));
    setContent('scopes', this.scope > 0 && scope(`in ${path}`, path, () => this.zoom(0)),
      this.group !== null && scope(group, group, () => this.pick(null)));
  }

  filter() {
    const words = byId('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const [, , accepts] = this.shows[byId('show').selectedIndex];
    const { item, scope, group } = this;
    const wanted = group === null || item.groups[group].name !== null ? group : -1;
    this.table.filter(words, (at) => at.node >= scope && at.node < item.end[scope] && accepts(at) &&
      (group === null || (at.leaf >= 0 && item.groupOf(at.leaf) === wanted)));
  }

  counted(count) {
    const all = this.item.rowNodes.length;
    byId('count').textContent = count === all ? countOf(all, 'row', 'rows')
        : `${formatCount(count)} of ${countOf(all, 'row', 'rows')}`;
  }
}

// The theme is stored for the next report, if the browser allows it; a page from a file may have no storage.
const themeKey = 'leafstore-report-theme';

function initTheme() {
  let kept = null;
  try { kept = localStorage.getItem(themeKey); } catch { /* none */ }
  const set = (theme) => { document.documentElement.dataset.theme = theme; };
  for (const input of document.querySelectorAll('input[name=theme]')) {
    if (input.value === kept) { input.checked = true; set(kept); }
    input.addEventListener('change', () => {
      set(input.value);
      try { localStorage.setItem(themeKey, input.value); } catch { /* none */ }
    });
  }
}

function fail(error) {
  setContent('failure', el('strong', {}, 'This report cannot be shown. '), error.message, ' Make it again with ',
    el('code', {}, 'leafstore report'), '.').hidden = false;
  for (const panel of document.querySelectorAll('main > .panel, .overview, #facts')) panel.hidden = true;
}

initTheme();
let report = null;
try {
  report = readReport(byId('data').textContent);
} catch (error) {
  fail(error);
}
if (report) new Page(report);

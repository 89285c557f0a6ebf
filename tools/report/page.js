// The page: which item is shown, and how its parts interact.

const SHOWS = {
  all: ['All leaves', () => true],
  odd: ['NaN or infinite', (item, node, leaf) => leaf >= 0 && item.isOdd(leaf)],
  tensors: ['Tensors', (item, node, leaf) => leaf >= 0 && item.isTensor(leaf)],
  static: ['Static leaves', (item, node, leaf) => leaf >= 0 && !item.isTensor(leaf)],
  tied: ['Tied', (item, node, leaf) => leaf < 0 || item.aliasesOf.has(node)],
  constant: ['Constant', (item, node, leaf) => leaf >= 0 && item.isTensor(leaf) && item.isConstant(leaf)],
};

const differsIn = (...whats) => (item, node, leaf) => leaf >= 0 && whats.includes(item.change.what[leaf]);
const COMPARE_SHOWS = {
  changed: ['What differs', (item, node, leaf) => leaf >= 0 && item.change.what[leaf] !== 'same'],
  added: ['Only after', differsIn('added')],
  removed: ['Only before', differsIn('removed')],
  form: ['Another dtype, shape or kind', differsIn('dtype', 'shape', 'kind')],
  same: ['The same', differsIn('same')],
};

const optionsOf = (entries) => entries.map(([value, text]) => el('option', { value }, text));

class Page {
  constructor(report) {
    this.report = report;
    this.treemap = new Treemap(byId('treemap'), {
      hover: (node) => this.read(node), zoom: (node) => this.zoom(node), leaf: (node) => this.openLeaf(node),
    });
    this.table = new LeafTable(byId('table'), { shown: (count) => this.counted(count) });
    this.listen();
    this.head();
    this.showItem(this.firstItem());
  }

  // Returns the item `params`, or the one with the most bytes.
  firstItem() {
    let best = 0;
    this.report.items.forEach((item, i) => {
      if (item.sum(0, 'bytes') > this.report.items[best].sum(0, 'bytes')) best = i;
    });
    const params = this.report.items.findIndex((item) => item.name === 'params');
    return params >= 0 ? params : best;
  }

  listen() {
    byId('item').addEventListener('change', (event) => this.showItem(Number(event.target.value)));
    byId('colour').addEventListener('change', (event) => this.colour(event.target.value));
    byId('show').addEventListener('change', () => this.filter());
    byId('search').addEventListener('input', () => this.filter());
    byId('search').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && event.target.value) {
        event.target.value = '';
        this.filter();
      } else if (event.key === 'ArrowDown' && this.table.rows.length) {
        this.table.activate(this.table.active);
      } else {
        return;
      }
      event.preventDefault();
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
    const { report } = this;
    byId('subtitle').replaceChildren(...this.subtitle().flatMap((part, i) => (i ? [' · ', part] : [part])));
    byId('item-field').hidden = report.items.length < 2;
    byId('item').replaceChildren(...optionsOf(report.items.map((item, i) =>
      [i, `${item.name} (${formatBytes(item.sum(0, 'bytes'))})`])));
  }

  subtitle() {
    const { mode, files } = this.report;
    if (mode === 'compare') return [el('span', {}, bdi(files[0].name), ' → ', bdi(files[1].name))];
    const file = files[0];
    const parts = [bdi(file.name), formatBytes(file.bytes), file.format];
    if (mode === 'steps') parts.unshift(`Step ${formatCount(this.report.steps.at(-1))}, and the norms before`);
    return parts;
  }

  showItem(i) {
    this.item = this.report.items[i];
    byId('item').value = String(i);
    this.group = null;
    this.scope = 0;
    byId('search').value = '';
    const shows = this.item.mode === 'compare' ? { all: SHOWS.all, ...COMPARE_SHOWS, ...SHOWS } : SHOWS;
    this.shows = shows;
    byId('show').replaceChildren(...optionsOf(Object.entries(shows).map(([id, [name]]) => [id, name])));
    this.colourings = colourings(this.item);
    byId('colour').replaceChildren(...optionsOf(this.colourings.map(({ id, label }) => [id, label])));
    drawFacts(this.report, this.item);
    drawWarnings(this.report, this.item, (id) => this.show(id));
    drawSteps(this.report, this.item);
    drawAbout(this.report, this.item);
    this.table.words = [];
    this.table.accepts = () => true;
    this.table.show(this.item, this.item.mode === 'compare' ? { id: 'relative', falling: true }
      : { id: 'path', falling: false });
    const colouring = this.colourings[0].make();
    this.treemap.show(this.item, colouring);
    this.legend(colouring);
    this.drawPlaces();
    // Computed in advance, so that the first letter of a search is as fast as the others.
    const { item } = this;
    setTimeout(() => item.searchTexts(), 200);
  }

  colour(id) {
    const colouring = this.colourings.find((each) => each.id === id).make();
    this.treemap.recolour(colouring);
    this.legend(colouring);
  }

  legend(colouring) { byId('legend').replaceChildren(...colouring.legend()); }

  // Updates the line about the node under the pointer or selected by the keyboard.
  read(node) {
    const line = byId('readout');
    const { item } = this;
    if (node < 0) {
      line.replaceChildren(el('span', { class: 'muted' },
        'Point at a rectangle to read it; click to go inside. The table shows what is inside.'));
      return;
    }
    const end = item.throughChain(node);
    const leaf = item.leafOf[end];
    const sum = (name) => item.sum(end, name);
    const parts = [formatBytes(sum('bytes')), `${formatShare(sum('bytes'), item.sum(0, 'bytes'))} of all`];
    let odd = leaf >= 0 && item.isOdd(leaf) ? ' NaN or infinite numbers' : '';
    if (leaf >= 0) {
      const numbers = [['L2', 'l2'], ['mean', 'mean'], ['std', 'std']];
      parts.push(`${item.get(leaf, 'dtype')} ${formatShape(item.get(leaf, 'shape'))}`,
        ...numbers.map(([name, id]) => `${name} ${formatNumber(item.get(leaf, id))}`));
      if (item.change) parts.push(`${WHATS[item.change.what[leaf]]}, ${formatRatio(item.relativeChange(leaf))}`);
      if (item.leaves.group) parts.push(`group ${item.groupName(item.groupOf(leaf))}`);
    } else {
      parts.push(countOf(item.leavesBelow(end), 'leaf', 'leaves'),
        countOf(sum('parameters'), 'parameter', 'parameters'), `L2 ${formatNumber(Math.sqrt(sum('squares')))}`);
      if (sum('changed') > 0) parts.push(`${formatCount(sum('changed'))} differ`);
      if (sum('odd') > 0) odd = ` NaN or infinite numbers in ${countOf(sum('odd'), 'leaf', 'leaves')}`;
    }
    line.replaceChildren(el('bdi', { class: 'path' }, item.pathOf(end)), `  ${parts.join(' · ')}`,
      ...(odd ? [el('span', { class: 'warn-text' }, odd)] : []));
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
    byId('leaves').scrollIntoView({ block: 'nearest', behavior: reducedMotion() ? 'auto' : 'smooth' });
  }

  show(id) {
    byId('show').value = id;
    this.filter();
    byId('leaves').scrollIntoView({ block: 'start', behavior: reducedMotion() ? 'auto' : 'smooth' });
    byId('leaves').focus({ preventScroll: true });
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
    const shown = nodes.length > 8 ? [...nodes.slice(0, 5), ...nodes.slice(-2)] : nodes;
    const steps = [0, ...shown.reverse()];
    const parts = steps.flatMap((node, i) => {
      const name = node === 0 ? 'all' : item.tree.key[node];
      const here = i + 1 === steps.length;
      const step = here ? el('span', { 'aria-current': 'location', title: name }, bdi(name))
        : el('button', { type: 'button', title: name, onclick: () => { this.zoom(node); byId('treemap').focus(); } },
            bdi(name));
      return i ? [el('span', { class: 'sep', 'aria-hidden': 'true' }, '›'), step] : [step];
    });
    byId('crumbs').replaceChildren(...parts);
  }

  drawScopes() {
    const scopes = [];
    const add = (text, what, clear) => scopes.push(el('span', { class: 'scope' }, bdi(text, { class: 'name' }),
      el('button', { type: 'button', 'aria-label': `Show leaves outside of ${what} too`,
          onclick: () => { clear(); byId('search').focus(); } }, '×')));
    if (this.scope > 0) add(`in ${this.item.pathOf(this.scope)}`, this.item.pathOf(this.scope), () => this.zoom(0));
    if (this.group !== null) add(`group ${this.item.groupName(this.group)}`,
        `group ${this.item.groupName(this.group)}`, () => this.pick(null));
    byId('scopes').replaceChildren(...scopes);
  }

  filter() {
    const words = byId('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const [, accepts] = this.shows[byId('show').value];
    const { scope, group } = this;
    const end = this.item.end[scope];
    const wanted = group === null || this.item.groups[group].name !== null ? group : -1;
    this.table.filter(words, (item, node, leaf) => node >= scope && node < end && accepts(item, node, leaf) &&
      (group === null || (leaf >= 0 && item.groupOf(leaf) === wanted)));
  }

  counted(count) {
    const all = this.item.rowCount;
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
  const notice = byId('failure');
  notice.replaceChildren(el('strong', {}, 'This report cannot be shown. '), error.message, ' Make it again with ',
      el('code', {}, 'leafstore report'), '.');
  notice.hidden = false;
  for (const panel of document.querySelectorAll('main > .panel, .overview, #facts')) panel.hidden = true;
}

initTheme();
let report = null;
try {
  report = readReport(byId('data').textContent);
} catch (error) {
  fail(error);
}
if (report && report.items.length === 0) fail(new Error('The file has no items.'));
else if (report) new Page(report);

// The table of leaves: sorted, filtered, and virtual: only the visible rows of 100,000 are elements.
//
// It is a treegrid: a row opens to show the details of its leaf. One row is in the tab order, and arrows move from row to
// row; that row stays an element when it is not visible, so that the focus is never lost.

const ROW = 30;
const PRINTED_ROWS = 400;
const MOST_DETAIL = 900;

class LeafTable {
  // Calls `shown(count)` when the list of rows changes.
  constructor(host, shown) {
    this.host = host;
    this.shown = shown;
    this.space = el('div', { class: 'grid-space', role: 'presentation' });
    this.body = el('div', {
      class: 'grid-body', role: 'rowgroup', tabindex: '-1',
      onscroll: () => this.render(),
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onfocusin: (event) => this.focused(event),
    }, this.space);
    this.head = el('div', { class: 'grid-head', role: 'row' });
    this.empty = el('p', { class: 'empty', hidden: true });
    this.grid = el('div', { class: 'grid', role: 'treegrid', 'aria-labelledby': 'leaves-title' },
      el('div', { role: 'rowgroup' }, this.head), this.body);
    host.replaceChildren(this.grid, this.empty);
    new ResizeObserver(() => this.fit()).observe(host);
    addEventListener('resize', () => this.fit());
  }

  // Sets the item; `filter` draws it.
  show(item, sorting) {
    this.item = item;
    this.all = columnsOf(item);
    this.columns = [];
    this.sorting = sorting;
    this.open = new Set();
    this.heights = new Map();
    this.orders = new Map();
  }

  // Lists the rows whose text has all words, and that `accepts`.
  filter(words, accepts) {
    this.words = words;
    this.accepts = accepts;
    this.list();
    this.fit();
    this.render(true);
  }

  list() {
    const { item, words } = this;
    const texts = words.length ? item.searchTexts() : null;
    this.rows = this.order().filter((row) =>
      words.every((word) => texts[row].includes(word)) && this.accepts(rowOf(item, row)));
    this.tops = null;
    this.active = 0;
    this.body.scrollTop = 0;
    this.shown(this.rows.length);
    this.empty.hidden = this.rows.length > 0;
    this.grid.hidden = this.rows.length === 0;
    this.empty.textContent = item.rowNodes.length === 0 ? 'There are no leaves in this item.'
      : 'No leaf is like that. Search for something shorter, or show all leaves.';
    this.grid.setAttribute('aria-rowcount', this.rows.length + 1);
  }

  // Returns all rows in the chosen order; computed once. Rows without a value are last in both directions; equal rows are
  // in the order of the tree.
  order() {
    const { id, falling } = this.sorting;
    return cached(this.orders, `${id} ${falling}`, () => {
      const { sort } = this.all.find((column) => column.id === id);
      const keys = this.item.rowNodes.map((_, row) => sort(rowOf(this.item, row)));
      return [...keys.keys()].sort((a, b) => {
        const [x, y] = [keys[a], keys[b]];
        if (x === y || (isNone(x) && isNone(y))) return a - b;
        if (isNone(x) || isNone(y)) return isNone(x) ? 1 : -1;
        return (x < y) === falling ? 1 : -1;
      });
    });
  }

  sortBy(column) {
    const same = this.sorting.id === column.id;
    this.sorting = { id: column.id, falling: same ? !this.sorting.falling : Boolean(column.falling) };
    this.list();
    this.drawHead();
    this.render(true);
  }

  // Chooses the columns that fit.
  fit() {
    const wide = this.host.clientWidth;
    if (!this.item || wide === 0) return;
    const room = wide - 20;
    const least = room < 520 ? 130 : Math.min(340, room * 0.28);
    let kept = this.all;
    while (kept.reduce((sum, column) => sum + column.width + 14, least) > room && kept.length > 2) {
      const goes = kept.reduce((a, b) => (b.last >= a.last ? b : a));
      kept = kept.filter((column) => column !== goes);
    }
    // Min without max is of little use.
    if (!kept.some(({ id }) => id === 'max')) kept = kept.filter(({ id }) => id !== 'min');
    const high = clamp(Math.round(innerHeight * 0.72), 240, 720);
    if (kept.length === this.columns.length && wide === this.wide && high === this.high) return;
    Object.assign(this, { columns: kept, wide, high, tops: null });
    this.heights.clear();
    const tracks = kept.map((column) => (column.width ? `${column.width}px` : 'minmax(0, 1fr)'));
    this.grid.style.setProperty('--columns', tracks.join(' '));
    this.grid.setAttribute('aria-colcount', kept.length);
    this.drawHead();
    this.render(true);
    this.grid.style.setProperty('--scrollbar', `${this.body.offsetWidth - this.body.clientWidth}px`);
  }

  drawHead() {
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    const { id: sorted, falling } = this.sorting;
    this.head.replaceChildren(...this.columns.map((column) => {
      const { id, label, kind } = column;
      const arrow = el('span', { class: 'arrow', 'aria-hidden': 'true' }, id === sorted && (falling ? '↓' : '↑'));
      const button = el('button', { type: 'button', title: column.title, 'data-column': id,
        onclick: () => this.sortBy(column) }, kind === 'right' ? [arrow, label] : [label, arrow]);
      return el('div', { role: 'columnheader', class: kind === 'right' && kind,
        'aria-sort': id === sorted && (falling ? 'descending' : 'ascending') }, button);
    }));
    if (focused) this.head.querySelector(`[data-column="${focused}"]`)?.focus();
  }

  // Returns the height of a row's details at the current width.
  detailHeight(row) {
    return cached(this.heights, row, () => {
      const detail = el('div', { class: 'detail', 'aria-hidden': 'true', style: { visibility: 'hidden' } },
        detailsOf(rowOf(this.item, row)));
      this.space.append(detail);
      const height = clamp(detail.offsetHeight, 80, MOST_DETAIL);
      detail.remove();
      return height;
    });
  }

  // Returns the vertical position of a row, or of the end.
  topOf(i) {
    if (!this.tops) {
      this.tops = [0];
      for (const row of this.rows) {
        this.tops.push(this.tops.at(-1) + ROW + (this.open.has(row) ? this.detailHeight(row) : 0));
      }
    }
    return this.tops[i];
  }

  // Makes elements for the visible rows. Keeps existing elements, unless `anew`.
  render(anew = false) {
    if (!this.item || !this.columns.length) return;
    const total = this.topOf(this.rows.length);
    const height = this.printing ? total : Math.min(total, this.high);
    this.body.style.height = `${height}px`;
    this.space.style.height = `${total}px`;
    const wanted = this.wanted(height);
    const hadFocus = this.space.contains(document.activeElement);
    if (anew || !this.drawn) {
      this.drawn = new Map();
      this.space.replaceChildren();
    }
    for (const [i, elements] of this.drawn) {
      if (!wanted.has(i)) { elements.forEach((element) => element.remove()); this.drawn.delete(i); }
    }
    // Keeps the elements in the order of the table, for screen readers.
    let next = null;
    for (const i of [...wanted].sort((a, b) => b - a)) {
      const elements = cached(this.drawn, i, () => this.makeRow(i));
      for (const element of elements) if (!element.parentNode) this.space.insertBefore(element, next);
      [next] = elements;
    }
    if (hadFocus && !this.space.contains(document.activeElement)) {
      this.rowElement(this.active)?.focus({ preventScroll: true });
    }
  }

  // Returns the indexes of the rows that must be elements.
  wanted(height) {
    const last = this.rows.length - 1;
    const at = (y) => lastWhere(last, (i) => this.topOf(i) <= y);
    const { scrollTop } = this.body;
    const [from, to] = this.printing ? [0, PRINTED_ROWS - 1] : [at(scrollTop) - 4, at(scrollTop + height) + 4];
    const wanted = new Set();
    for (let i = Math.max(0, from); i <= Math.min(last, to); ++i) wanted.add(i);
    if (!this.printing && last >= 0) wanted.add(this.active);
    return wanted;
  }

  rowElement(i) { return this.drawn.get(i)?.[0]; }

  // Returns the element of a row, and that of its details if it is open.
  makeRow(i) {
    const at = rowOf(this.item, this.rows[i]);
    const opened = this.open.has(at.row);
    const top = this.topOf(i);
    const row = el('div', {
      class: opened ? 'row open' : 'row', role: 'row', tabindex: i === this.active ? '0' : '-1', 'data-at': i,
      'aria-rowindex': i + 2, 'aria-level': '1', 'aria-expanded': String(opened), style: { top: `${top}px` },
    }, this.columns.map(({ id, kind, hint, draw }) =>
      el('div', { role: 'gridcell', 'data-column': id, class: kind, title: hint?.(at) }, draw(at, this))));
    if (!opened) return [row];
    const style = { top: `${top + ROW}px`, height: `${this.detailHeight(at.row)}px` };
    return [row, el('div', { class: 'detail', role: 'row', 'aria-level': '2', 'data-of': i, style },
      el('div', { role: 'gridcell', 'aria-colspan': this.columns.length }, detailsOf(at)))];
  }

  toggle(i, opened = !this.open.has(this.rows[i])) {
    if (opened) this.open.add(this.rows[i]); else this.open.delete(this.rows[i]);
    this.tops = null;
    this.render(true);
    if (opened) this.reveal(i);
  }

  // Scrolls to a row and its details.
  reveal(i) {
    const [top, bottom] = [this.topOf(i), this.topOf(i + 1)];
    const view = this.body.clientHeight;
    if (bottom > this.body.scrollTop + view) this.body.scrollTop = bottom - view;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    this.render();
  }

  // Makes a row the one in the tab order.
  mark(i) {
    const before = this.rowElement(this.active);
    if (before) before.tabIndex = -1;
    this.active = i;
    if (this.rowElement(i)) this.rowElement(i).tabIndex = 0;
  }

  activate(i) {
    this.mark(clamp(i, 0, this.rows.length - 1));
    this.reveal(this.active);
    this.mark(this.active);
    this.rowElement(this.active).focus({ preventScroll: true });
  }

  // Opens the leaf at `node`; returns false if it is not listed.
  openNode(node) {
    const i = this.rows.indexOf(this.item.rowOfNode.get(node));
    if (i < 0) return false;
    this.toggle(i, true);
    this.activate(i);
    return true;
  }

  focused(event) {
    const at = event.target.closest('.row')?.dataset.at;
    if (at !== undefined) this.mark(Number(at));
  }

  click(event) {
    const row = event.target.closest('.row');
    if (row && !String(getSelection())) this.toggleAndActivate(Number(row.dataset.at));
  }

  toggleAndActivate(i) {
    this.toggle(i);
    this.activate(i);
  }

  key(event) {
    const { key } = event;
    if (!event.target.classList.contains('row')) {
      const detail = event.target.closest('.detail');
      if (detail && key === 'Escape') this.toggleAndActivate(Number(detail.dataset.of));
      return;
    }
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW) - 1);
    const to = keyTarget(key, this.active, this.rows.length,
      { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page });
    if (to !== undefined) this.activate(to);
    else if (key === 'Enter' || key === ' ') this.toggle(this.active);
    else if (key === 'ArrowRight') this.toggle(this.active, true);
    else if (key === 'ArrowLeft' || key === 'Escape') this.toggle(this.active, false);
    else return;
    event.preventDefault();
  }

  // Makes elements for the first rows, for printing.
  print(printing) {
    this.printing = printing;
    this.render(true);
  }
}

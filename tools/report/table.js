// The table of leaves: sorted, filtered, and virtual: only the visible rows of 100,000 are elements.
//
// It is a treegrid: a row opens to show the details of its leaf. One row is in the tab order, and arrows move from row to
// row; that row stays an element when it is not visible, so that the focus is never lost.

const ROW = 30;
const PRINTED_ROWS = 400;
const MOST_DETAIL = 900;

class LeafTable {
  // Calls `on.shown(count)` when the list of rows changes.
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.words = [];
    this.accepts = () => true;
    this.space = el('div', { class: 'grid-space', role: 'presentation' });
    this.body = el('div', { class: 'grid-body', role: 'rowgroup', tabindex: '-1' }, this.space);
    this.head = el('div', { class: 'grid-head', role: 'row' });
    this.empty = el('p', { class: 'empty', hidden: true });
    this.grid = el('div', { class: 'grid', role: 'treegrid', 'aria-labelledby': 'leaves-title' },
      el('div', { role: 'rowgroup' }, this.head), this.body);
    host.replaceChildren(this.grid, this.empty);
    this.body.addEventListener('scroll', () => this.render());
    this.body.addEventListener('click', (event) => this.click(event));
    this.body.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('focusin', (event) => this.focused(event));
    new ResizeObserver(() => this.fit()).observe(host);
    addEventListener('resize', () => this.fit());
  }

  show(item, sort) {
    this.item = item;
    this.all = columnsOf(item);
    this.columns = [];
    this.sorting = sort;
    this.open = new Set();
    this.heights = new Map();
    this.ranks = new Map();
    this.toTop();
    this.list();
    this.fit(true);
  }

  // Lists the rows whose text has all words, and that `accepts`.
  filter(words, accepts) {
    this.words = words;
    this.accepts = accepts;
    this.toTop();
    this.list();
    this.render(true);
  }

  toTop() {
    this.active = 0;
    this.body.scrollTop = 0;
  }

  list() {
    const { item, words } = this;
    const texts = words.length ? item.searchTexts() : null;
    this.rows = [];
    for (let row = 0; row < item.rowCount; ++row) {
      if (texts && !words.every((word) => texts[row].includes(word))) continue;
      const node = item.rowNodes[row];
      if (this.accepts(item, node, item.leafOf[node])) this.rows.push(row);
    }
    this.order();
    this.on.shown(this.rows.length);
    this.empty.hidden = this.rows.length > 0;
    this.grid.hidden = this.rows.length === 0;
    if (this.rows.length === 0) {
      this.empty.textContent = item.rowCount === 0 ? 'There are no leaves in this item.'
        : 'No leaf is like that. Search for something shorter, or show all leaves.';
    }
    this.grid.setAttribute('aria-rowcount', this.rows.length + 1);
  }

  // Returns the rank of each row in the order of a column; computed once. Rows without a value are last in both
  // directions; equal rows are in the order of the tree.
  ranksOf(column, falling) {
    return cached(this.ranks, `${column.id} ${falling}`, () => {
      const { item } = this;
      const keys = Array.from({ length: item.rowCount }, (_, row) => {
        const value = column.sort(rowOf(item, row));
        return isNone(value) ? null : value;
      });
      const sign = falling ? -1 : 1;
      const order = keys.map((_, row) => row).sort((a, b) => {
        const [x, y] = [keys[a], keys[b]];
        if (x === y) return a - b;
        if (x === null || y === null) return x === null ? 1 : -1;
        return (x < y ? -1 : 1) * sign;
      });
      const ranks = new Int32Array(item.rowCount);
      order.forEach((row, i) => { ranks[row] = i; });
      return ranks;
    });
  }

  order() {
    const { id, falling } = this.sorting;
    const column = this.all.find((each) => each.id === id) ?? this.all[0];
    const ranks = this.ranksOf(column, falling);
    // Sorting numbers without a comparison function is several times faster.
    const places = new Int32Array(this.rows.length);
    const rowAt = new Int32Array(this.item.rowCount);
    this.rows.forEach((row, i) => { places[i] = ranks[row]; rowAt[ranks[row]] = row; });
    places.sort();
    this.rows = Array.from(places, (place) => rowAt[place]);
    this.places = null;
  }

  sortBy(column) {
    const same = this.sorting.id === column.id;
    this.sorting = { id: column.id, falling: same ? !this.sorting.falling : Boolean(column.falling) };
    this.order();
    this.toTop();
    this.drawHead();
    this.render(true);
  }

  // Chooses the columns that fit.
  fit(anew = false) {
    if (!this.item || this.host.clientWidth === 0) return;
    const room = this.host.clientWidth - 20;
    const kept = [...this.all];
    const least = room < 520 ? 130 : Math.min(340, room * 0.28);
    const width = () => least + kept.reduce((sum, column) => sum + column.width + 14, 0);
    while (width() > room && kept.length > 2) {
      const goes = kept.reduce((a, b) => (b.last >= a.last ? b : a));
      kept.splice(kept.indexOf(goes), 1);
    }
    // Min without max is of little use.
    if (!kept.some(({ id }) => id === 'max')) kept.splice(0, kept.length, ...kept.filter(({ id }) => id !== 'min'));
    const high = clamp(Math.round(innerHeight * 0.72), 240, 720);
    const same = kept.length === this.columns.length && this.host.clientWidth === this.wide && high === this.high;
    if (same && !anew) return;
    [this.columns, this.wide, this.high] = [kept, this.host.clientWidth, high];
    this.heights.clear();
    this.places = null;
    const tracks = kept.map((column) => (column.width ? `${column.width}px` : 'minmax(0, 1fr)'));
    this.grid.style.setProperty('--columns', tracks.join(' '));
    this.grid.setAttribute('aria-colcount', kept.length);
    this.drawHead();
    this.render(true);
    this.grid.style.setProperty('--scrollbar', `${this.body.offsetWidth - this.body.clientWidth}px`);
  }

  drawHead() {
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    this.head.replaceChildren(...this.columns.map((column) => {
      const sorted = this.sorting.id === column.id;
      const arrow = el('span', { class: 'arrow', 'aria-hidden': 'true' },
          sorted ? (this.sorting.falling ? '↓' : '↑') : '');
      return el('div', {
        role: 'columnheader', class: column.right ? 'right' : null,
        'aria-sort': sorted ? (this.sorting.falling ? 'descending' : 'ascending') : null,
      }, el('button', { type: 'button', title: column.title, 'data-column': column.id,
          onclick: () => this.sortBy(column) },
        column.right ? [arrow, column.label] : [column.label, arrow]));
    }));
    if (focused) this.head.querySelector(`[data-column="${focused}"]`)?.focus();
  }

  // Returns the height of a row's details at the current width.
  detailHeight(row) {
    return cached(this.heights, row, () => {
      const detail = el('div', { class: 'detail', 'aria-hidden': 'true' }, detailsOf(rowOf(this.item, row)));
      detail.style.visibility = 'hidden';
      this.space.append(detail);
      const height = clamp(detail.offsetHeight, 80, MOST_DETAIL);
      detail.remove();
      return height;
    });
  }

  // Returns the open rows, ascending, and the total height of details up to each.
  openPlaces() {
    if (!this.places) {
      this.places = [];
      let pushed = 0;
      if (this.open.size) {
        this.rows.forEach((row, i) => {
          if (!this.open.has(row)) return;
          pushed += this.detailHeight(row);
          this.places.push({ i, pushed });
        });
      }
    }
    return this.places;
  }
  topOf(i) {
    const places = this.openPlaces();
    let above = 0;
    while (above < places.length && places[above].i < i) ++above;
    return i * ROW + (above > 0 ? places[above - 1].pushed : 0);
  }
  // Returns the row at a vertical position.
  placeAt(y) {
    let [low, high] = [0, this.rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.topOf(middle) <= y) low = middle; else high = middle - 1;
    }
    return low;
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
    for (const i of [...wanted].sort((a, b) => a - b)) if (!this.drawn.has(i)) this.drawRow(i);
    if (hadFocus && !this.space.contains(document.activeElement)) this.rowElement(this.active)?.focus({ preventScroll: true });
  }

  wanted(height) {
    const wanted = new Set();
    if (this.rows.length === 0) return wanted;
    if (this.printing) {
      for (let i = 0; i < Math.min(this.rows.length, PRINTED_ROWS); ++i) wanted.add(i);
      return wanted;
    }
    const first = Math.max(0, this.placeAt(this.body.scrollTop) - 4);
    const last = Math.min(this.rows.length - 1, this.placeAt(this.body.scrollTop + height) + 4);
    for (let i = first; i <= last; ++i) wanted.add(i);
    wanted.add(Math.min(this.active, this.rows.length - 1));
    return wanted;
  }

  rowElement(i) { return this.drawn.get(i)?.[0]; }

  drawRow(i) {
    const at = rowOf(this.item, this.rows[i]);
    const opened = this.open.has(at.row);
    const element = el('div', {
      class: opened ? 'row open' : 'row', role: 'row', tabindex: i === this.active ? '0' : '-1', 'data-at': i,
      'aria-rowindex': i + 2, 'aria-level': '1', 'aria-expanded': String(opened),
    });
    for (const column of this.columns) {
      const cell = el('div', { role: 'gridcell', 'data-column': column.id });
      if (column.right) cell.classList.add('right');
      if (column.graphic) cell.classList.add('graphic');
      column.draw(cell, at, this);
      element.append(cell);
    }
    element.style.top = `${this.topOf(i)}px`;
    const elements = [element];
    if (opened) {
      const detail = el('div', { class: 'detail', role: 'row', 'aria-level': '2', 'data-of': i },
        el('div', { role: 'gridcell', 'aria-colspan': this.columns.length }, detailsOf(at)));
      detail.style.top = `${this.topOf(i) + ROW}px`;
      detail.style.height = `${this.detailHeight(at.row)}px`;
      elements.push(detail);
    }
    this.drawn.set(i, elements);
    // Keeps the elements in the order of the table, for screen readers.
    let next = null;
    for (const [j, [other]] of this.drawn) if (j > i && (!next || j < Number(next.dataset.at))) next = other;
    for (const each of elements) this.space.insertBefore(each, next);
  }

  toggle(i, opened = !this.open.has(this.rows[i])) {
    const row = this.rows[i];
    if (opened) this.open.add(row); else this.open.delete(row);
    this.places = null;
    this.render(true);
    if (opened) this.reveal(i);
  }

  // Scrolls to a row and its details.
  reveal(i) {
    const top = this.topOf(i);
    const bottom = top + ROW + (this.open.has(this.rows[i]) ? this.detailHeight(this.rows[i]) : 0);
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
    if (!this.open.has(this.rows[i])) this.toggle(i, true);
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

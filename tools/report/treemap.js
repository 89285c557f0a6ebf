// Treemap: nested rectangles with areas proportional to the bytes of subtrees, laid out by the squarified algorithm
// (Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000).
//
// Level of detail: a subtree of a few pixels is one rectangle. Rectangles without text are one shape per fill, so that
// 10,000 leaves are about ten elements; rectangles with text are an element each.
//
// Pointer: a click goes one level down, or to the leaf in the table. Keyboard: a list of the children of the shown node,
// the largest first; arrows select, Enter goes down, Escape up. Screen readers read that list; the table has everything.

const HEADER = 17;
const MAX_OPTIONS = 300;

// Lays out descending weights in a rectangle; calls place(i, x, y, w, h). O(n).
function squarify(weights, x, y, w, h, place) {
  const scale = w * h / weights.reduce((sum, weight) => sum + weight, 0);
  for (let begin = 0; begin < weights.length && w > 0 && h > 0;) {
    const side = Math.min(w, h);
    const largest = weights[begin] * scale;
    // Returns the worst ratio of sides in a row with this total and least area.
    const worst = (sum, least) => Math.max(side * side * largest / (sum * sum), sum * sum / (side * side * least));
    let sum = largest;
    let end = begin + 1;
    for (; end < weights.length; ++end) {
      const area = weights[end] * scale;
      if (worst(sum + area, area) > worst(sum, weights[end - 1] * scale)) break;
      sum += area;
    }
    const wide = w >= h;
    const thick = Math.min(sum / side, wide ? w : h);
    let along = 0;
    for (let i = begin; i < end; ++i) {
      const length = weights[i] * scale / thick;
      if (wide) place(i, x, y + along, thick, length); else place(i, x + along, y, length, thick);
      along += length;
    }
    if (wide) { x += thick; w -= thick; } else { y += thick; h -= thick; }
    begin = end;
  }
}

class Treemap {
  // `on` has hover(node or -1), zoom(node), leaf(node).
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.pen = document.createElement('canvas').getContext('2d');
    this.widths = new Map();
    fill(host, {
      onpointermove: (event) => this.hover(event),
      onpointerleave: () => { this.aim(null); on.hover(-1); },
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.choose(this.chosen),
      onblur: () => this.aim(null),
    });
    new ResizeObserver(() => {
      if (this.item && (host.clientWidth !== this.width || host.clientHeight !== this.height)) this.draw();
    }).observe(host);
  }

  // Sets the item; `colour` draws it.
  show(item) {
    this.item = item;
    this.sorted = new Map();
    this.root = 0;
    this.chosen = 0;
  }

  colour(colouring) {
    this.colouring = colouring;
    this.draw();
  }

  zoom(node) {
    const from = this.tops.find((cell) => cell.node === node || this.item.throughChain(cell.node) === node);
    this.root = node;
    this.chosen = 0;
    this.draw();
    if (from && !reducedMotion()) this.grow(from);
  }

  // Animates the zoom: the part grows to the whole.
  grow({ x, y, w, h }) {
    const { width, height } = this;
    this.layer.animate([
      { transform: `translate(${x}px, ${y}px) scale(${w / width}, ${h / height})`, opacity: 0.4 },
      { transform: 'none', opacity: 1 },
    ], { duration: 180, easing: 'ease-out' });
  }

  bytes(node) { return this.item.sum(node, 'bytes'); }

  childrenOf(node) {
    return cached(this.sorted, node, () => this.item.children[node].filter((child) => this.bytes(child) > 0)
      .sort((a, b) => this.bytes(b) - this.bytes(a) || a - b));
  }

  // `base`: the nearest ancestor whose name is visible; names are relative to it.
  place(node, x, y, w, h, depth, base) {
    if (depth === 1) this.tops.push({ node, x, y, w, h });
    node = this.item.throughChain(node);
    const leaf = this.item.leafOf[node];
    if (leaf >= 0 || w * h < 60 || w < 4 || h < 4) {
      this.cells.push({ node, base, x, y, w, h, leaf: leaf >= 0 ? leaf : this.largestLeaf(node) });
      return;
    }
    if (depth > 0) {
      const named = w > 40 && h > 34;
      this.boxes.push({ node, base, x, y, w, h, named });
      if (named) base = node;
      const pad = w > 24 && h > 24 ? 2 : 0.5;
      x += pad;
      w -= 2 * pad;
      y += named ? HEADER : pad;
      h -= (named ? HEADER : pad) + pad;
    }
    const children = this.childrenOf(node);
    squarify(children.map((child) => this.bytes(child)), x, y, w, h,
      (i, cx, cy, cw, ch) => this.place(children[i], cx, cy, cw, ch, depth + 1, base));
  }

  largestLeaf(node) {
    const { item } = this;
    const leaves = item.leafIndexes.slice(item.leafBegin[node], item.leafBegin[item.end[node]]);
    return leaves.reduce((best, leaf) => (item.weight(leaf) > item.weight(best) ? leaf : best));
  }

  draw() {
    const { item, host } = this;
    const [width, height] = [host.clientWidth, host.clientHeight];
    Object.assign(this, { width, height, cells: [], boxes: [], tops: [], top: item.throughChain(this.root) });
    if (this.bytes(this.top) > 0) this.place(this.top, 0, 0, width, height, 0, this.top);
    this.layer = svgEl('g');
    this.aimed = svgEl('rect', { class: 'aim', visibility: 'hidden', rx: 1 });
    for (const box of this.boxes) if (box.named) this.drawBox(box);
    this.drawCells();
    host.replaceChildren(
      svgEl('svg', { 'aria-hidden': 'true', viewBox: `0 0 ${width} ${height}` }, this.layer, this.aimed),
      this.options());
    if (this.cells.length === 0) {
      host.append(el('p', { class: 'empty' }, item.leafIndexes.length === 0
        ? 'There are no leaves in this item.' : 'There are no bytes here: there are only static leaves below.'));
    }
    // An empty list must not have the role.
    const some = this.list.length > 0;
    fill(host, { role: some && 'listbox', tabindex: some && '0', 'aria-activedescendant': null,
      'aria-label': some && `Bytes below ${item.pathOf(this.top)}, the largest first. Enter goes down, Escape up.` });
    if (document.activeElement === host) this.choose(this.chosen);
  }

  drawBox({ node, base, x, y, w, h }) {
    this.layer.append(svgEl('rect',
      { class: 'container-box', x: x + 0.5, y: y + 0.5, width: w - 1, height: h - 1, rx: 2 }));
    this.text(this.item.pathOf(node, base), 'ink', true, x + 5, y + 12.5, w - 9);
  }

  drawCells() {
    const shapes = new Map();
    for (const cell of this.cells) {
      cell.fill = this.colouring.fillOf(cell.leaf);
      const gap = cell.w > 3 && cell.h > 3 ? 0.5 : 0.15;
      const [x, y] = [cell.x + gap, cell.y + gap];
      const [w, h] = [Math.max(0.3, cell.w - 2 * gap), Math.max(0.3, cell.h - 2 * gap)];
      addTo(shapes, cell.fill, `M${x.toFixed(2)} ${y.toFixed(2)}h${w.toFixed(2)}v${h.toFixed(2)}h${(-w).toFixed(2)}z`);
    }
    for (const [name, parts] of shapes) {
      this.layer.append(svgEl('path', { d: parts.join(''), style: { fill: colourOf(name) } }));
    }
    for (const cell of this.cells) if (cell.w > 34 && cell.h > 16) this.drawName(cell);
  }

  drawName(cell) {
    const { node, base, x, y, w, h, leaf } = cell;
    const { item } = this;
    const style = [inkOf(cell.fill), cell.fill === 'warn'];
    const path = item.pathOf(node, node === base ? item.tree.parent[node] : base);
    const shown = this.text(path, ...style, x + 5, y + 13, w - 9);
    const odd = item.leafOf[node] >= 0 && item.isOdd(leaf);
    const size = odd ? 'NaN or infinite' : formatBytes(this.bytes(node));
    // Numbers are never cut.
    if (shown && h > 32 && this.measure(size, style[1]) <= w - 9) this.text(size, ...style, x + 5, y + 27, w - 9);
  }

  // Draws text that fits a width, cut with an ellipsis; returns false, without a text, if too little is left.
  text(text, ink, bold, x, y, width) {
    if (this.measure(text, bold) > width) {
      const length = lastWhere(text.length, (at) => this.measure(`${text.slice(0, at)}…`, bold) <= width);
      if (length < 4) return false;
      text = `${text.slice(0, length)}…`;
    }
    const style = { fill: colourOf(ink), fontWeight: bold ? 600 : 400 };
    this.layer.append(svgEl('text', { x: x.toFixed(1), y: y.toFixed(1), style }, text));
    return true;
  }

  measure(text, bold) {
    return cached(this.widths, `${bold} ${text}`, () => {
      const family = this.family ??= getComputedStyle(document.body).fontFamily;
      this.pen.font = `${bold ? 600 : 400} 11px ${family}`;
      return this.pen.measureText(text).width;
    });
  }

  // Makes the list for the keyboard.
  options() {
    this.list = this.childrenOf(this.top).slice(0, MAX_OPTIONS);
    return el('div', { class: 'sr-only' }, this.list.map((node, i) => {
      const below = this.item.leafOf[node] >= 0 ? 'leaf' : countOf(this.item.leavesBelow(node), 'leaf', 'leaves');
      return el('div', { role: 'option', id: `cell-${i}`, 'aria-selected': 'false', 'data-node': node },
        [this.item.pathOf(node, this.top), below, formatBytes(this.bytes(node)),
          formatShare(this.bytes(node), this.bytes(this.top))].join(', '));
    }));
  }

  choose(i) {
    if (this.list.length === 0) return;
    this.chosen = clamp(i, 0, this.list.length - 1);
    this.host.querySelector('[aria-selected="true"]')?.setAttribute('aria-selected', 'false');
    byId(`cell-${this.chosen}`).setAttribute('aria-selected', 'true');
    this.host.setAttribute('aria-activedescendant', `cell-${this.chosen}`);
    const node = this.list[this.chosen];
    this.aim(this.tops.find((cell) => cell.node === node));
    this.on.hover(node);
  }

  aim(cell) {
    if (!this.aimed) return;
    const shape = cell ? { x: cell.x + 1, y: cell.y + 1, width: Math.max(2, cell.w - 2),
      height: Math.max(2, cell.h - 2) } : {};
    fill(this.aimed, { visibility: cell ? 'visible' : 'hidden', ...shape });
  }

  key(event) {
    const { key } = event;
    const to = keyTarget(key, this.chosen, this.list.length,
      { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 });
    if (to !== undefined) this.choose(to);
    else if (key === 'Enter' || key === ' ') this.descend(this.list[this.chosen]);
    else if (key === 'Escape' || key === 'Backspace') this.ascend();
    else return;
    event.preventDefault();
  }

  descend(node) {
    if (node === undefined) return;
    const end = this.item.throughChain(node);
    if (this.item.leafOf[end] >= 0) this.on.leaf(end); else this.on.zoom(end);
  }

  ascend() {
    if (this.root === 0) return;
    const left = this.root;
    let above = this.item.tree.parent[this.root];
    // Skips nodes with a single child.
    while (above > 0 && this.item.children[above].length === 1) above = this.item.tree.parent[above];
    this.on.zoom(above);
    this.choose(Math.max(0, this.list.findIndex((node) => this.isWithin(left, node))));
  }

  // Returns whether a node is at or below another.
  isWithin(node, above) { return above <= node && node < this.item.end[above]; }

  cellAt(event) {
    const frame = this.host.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const inside = (cell) => x >= cell.x && x < cell.x + cell.w && y >= cell.y && y < cell.y + cell.h;
    return this.cells.find(inside) ?? this.boxes.findLast(inside) ?? null;
  }

  hover(event) {
    const cell = this.item && this.cellAt(event);
    if (cell === this.under) return;
    this.under = cell;
    this.aim(cell);
    this.on.hover(cell ? cell.node : -1);
  }

  click(event) {
    const cell = this.cellAt(event);
    const top = cell && this.tops.find(({ node }) => this.isWithin(cell.node, node));
    if (top) this.descend(top.node);
  }
}

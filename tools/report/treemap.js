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
  let total = 0;
  for (const weight of weights) total += weight;
  if (!(total > 0)) return;
  const scale = w * h / total;
  let begin = 0;
  while (begin < weights.length && w > 0 && h > 0) {
    const side = Math.min(w, h);
    let sum = weights[begin] * scale;
    const largest = sum;
    let end = begin + 1;
    let worst = Math.max(side * side / sum, sum / (side * side));
    while (end < weights.length) {
      const area = weights[end] * scale;
      const more = sum + area;
      const next = Math.max(side * side * largest / (more * more), more * more / (side * side * area));
      if (next > worst) break;
      worst = next;
      sum = more;
      ++end;
    }
    const thick = Math.min(sum / side, w >= h ? w : h);
    let along = 0;
    for (let i = begin; i < end; ++i) {
      const length = weights[i] * scale / thick;
      if (w >= h) place(i, x, y + along, thick, length); else place(i, x + along, y, length, thick);
      along += length;
    }
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
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
    host.addEventListener('pointermove', (event) => this.hover(event));
    host.addEventListener('pointerleave', () => { this.aim(null); this.on.hover(-1); });
    host.addEventListener('click', (event) => this.click(event));
    host.addEventListener('keydown', (event) => this.key(event));
    host.addEventListener('focus', () => this.choose(this.chosen));
    host.addEventListener('blur', () => this.aim(null));
    new ResizeObserver(() => {
      if (this.item && (host.clientWidth !== this.width || host.clientHeight !== this.height)) this.draw();
    }).observe(host);
  }

  show(item, colouring, node = 0) {
    this.item = item;
    this.colouring = colouring;
    this.sorted = new Map();
    this.root = node;
    this.chosen = 0;
    this.draw();
  }

  recolour(colouring) {
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

  childrenOf(node) {
    const bytes = (child) => this.item.sum(child, 'bytes');
    return cached(this.sorted, node, () => (this.item.children[node] ?? []).filter((child) => bytes(child) > 0)
      .sort((a, b) => bytes(b) - bytes(a) || a - b));
  }

  layout() {
    this.cells = [];
    this.boxes = [];
    this.tops = [];
    this.top = this.item.throughChain(this.root);
    if (this.item.sum(this.top, 'bytes') > 0) this.place(this.top, 0, 0, this.width, this.height, 0, this.top);
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
    const weights = children.map((child) => this.item.sum(child, 'bytes'));
    squarify(weights, x, y, w, h, (i, cx, cy, cw, ch) => this.place(children[i], cx, cy, cw, ch, depth + 1, base));
  }

  largestLeaf(node) {
    let best = this.item.leafBegin[node];
    for (let leaf = best; leaf < this.item.leafBegin[this.item.end[node]]; ++leaf) {
      if (this.item.weight(leaf) > this.item.weight(best)) best = leaf;
    }
    return best;
  }

  draw() {
    this.width = this.host.clientWidth;
    this.height = this.host.clientHeight;
    this.layout();
    this.layer = svgEl('g');
    this.aimed = svgEl('rect', { class: 'aim', visibility: 'hidden', rx: 1 });
    const svg = svgEl('svg', { 'aria-hidden': 'true', viewBox: `0 0 ${this.width} ${this.height}` },
      this.layer, this.aimed);
    for (const box of this.boxes) if (box.named) this.drawBox(box);
    this.drawCells();
    this.host.replaceChildren(svg, this.options());
    if (this.cells.length === 0) {
      this.host.append(el('p', { class: 'empty' }, this.item.leafCount === 0
        ? 'There are no leaves in this item.' : 'There are no bytes here: there are only static leaves below.'));
    }
    this.describe();
    if (document.activeElement === this.host) this.choose(this.chosen);
  }

  drawBox({ node, base, x, y, w, h }) {
    this.layer.append(svgEl('rect',
      { class: 'container-box', x: x + 0.5, y: y + 0.5, width: w - 1, height: h - 1, rx: 2 }));
    this.text(this.item.pathOf(node, base), 'container-name', x + 5, y + 12.5, w - 9);
  }

  drawCells() {
    const shapes = new Map();
    const named = [];
    for (const cell of this.cells) {
      cell.fill = this.colouring.fillOf(cell.leaf);
      const gap = cell.w > 3 && cell.h > 3 ? 0.5 : 0.15;
      const [x, y] = [cell.x + gap, cell.y + gap];
      const [w, h] = [Math.max(0.3, cell.w - 2 * gap), Math.max(0.3, cell.h - 2 * gap)];
      addTo(shapes, cell.fill, `M${x.toFixed(2)} ${y.toFixed(2)}h${w.toFixed(2)}v${h.toFixed(2)}h${(-w).toFixed(2)}z`);
      if (cell.w > 34 && cell.h > 16) named.push(cell);
    }
    for (const [name, parts] of shapes) this.layer.append(svgEl('path', { class: `fill-${name}`, d: parts.join('') }));
    for (const cell of named) this.drawName(cell);
  }

  drawName(cell) {
    const { node, base, x, y, w, h, leaf } = cell;
    const ink = inkOf(cell.fill);
    const shown = this.text(this.item.pathOf(node, node === base ? this.item.tree.parent[node] : base), ink, x + 5,
        y + 13, w - 9);
    const odd = this.item.leafOf[node] >= 0 && this.item.isOdd(leaf);
    if (shown && h > 32) {
      this.text(odd ? 'NaN or infinite' : formatBytes(this.item.sum(node, 'bytes')), ink, x + 5, y + 27, w - 9, true);
    }
  }

  // Draws text that fits a width, cut with an ellipsis; nothing if too little is left. Numbers are never cut.
  text(text, name, x, y, width, whole = false) {
    let shown = text;
    if (this.measure(text, name) > width) {
      if (whole) return false;
      let [low, high] = [0, text.length];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.measure(`${text.slice(0, middle)}…`, name) <= width) low = middle; else high = middle - 1;
      }
      if (low < 4) return false;
      shown = `${text.slice(0, low)}…`;
    }
    this.layer.append(svgEl('text', { class: name, x: x.toFixed(1), y: y.toFixed(1) }, shown));
    return true;
  }

  measure(text, name) {
    const bold = name === 'container-name' ? '600 ' : '';
    return cached(this.widths, bold + text, () => {
      this.pen.font = `${bold}11px ${this.family ??= getComputedStyle(document.body).fontFamily}`;
      return this.pen.measureText(text).width;
    });
  }

  // Makes the list for the keyboard.
  options() {
    this.list = this.childrenOf(this.top).slice(0, MAX_OPTIONS);
    const whole = this.item.sum(this.top, 'bytes');
    return el('div', { class: 'sr-only' }, this.list.map((node, i) => {
      const below = this.item.leafOf[node] >= 0 ? 'leaf' : countOf(this.item.leavesBelow(node), 'leaf', 'leaves');
      const bytes = this.item.sum(node, 'bytes');
      return el('div', { role: 'option', id: `cell-${i}`, 'aria-selected': 'false', 'data-node': node },
        `${this.item.pathOf(node, this.top)}, ${below}, ${formatBytes(bytes)}, ${formatShare(bytes, whole)}`);
    }));
  }

  describe() {
    const path = this.item.pathOf(this.top);
    const host = this.host;
    // An empty list must not have the role.
    if (this.list.length === 0) {
      for (const name of ['role', 'tabindex', 'aria-label', 'aria-activedescendant']) host.removeAttribute(name);
      return;
    }
    fill(host, { role: 'listbox', tabindex: '0',
      'aria-label': `Bytes below ${path}, the largest first. Enter goes down, Escape up.` }, []);
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
    if (!cell) { this.aimed.setAttribute('visibility', 'hidden'); return; }
    const inset = 1;
    fill(this.aimed, { x: cell.x + inset, y: cell.y + inset, width: Math.max(2, cell.w - 2 * inset),
      height: Math.max(2, cell.h - 2 * inset), visibility: 'visible' }, []);
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
    const at = this.list.findIndex((node) => node <= left && left < this.item.end[node]);
    this.choose(Math.max(0, at));
  }

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
    const top = cell && this.tops.find(({ node }) => node <= cell.node && cell.node < this.item.end[node]);
    if (top) this.descend(top.node);
  }
}

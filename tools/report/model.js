// The data of the page: items and their trees. docs/report.md describes the format.

// Infinities are text in JSON.
const decodeNumber = (value) => (value === 'inf' ? Infinity : value === '-inf' ? -Infinity : value);

// An item: nodes in preorder, leaves in the order of nodes. `sides` has the columns of one file, or in a comparison those
// of before and after; `now` is the later side that has a leaf. A row is a leaf or an alias, in the order of the tree.
class Item {
  constructor(data, report) {
    Object.assign(this, data);
    this.mode = report.mode;
    this.leafIndexes = data.leaves.node.map((_, leaf) => leaf);
    this.indexTree();
    this.indexRows();
    this.makeSums();
  }

  // Computes the end and the first leaf of each node: nodes and leaves below a node are consecutive.
  indexTree() {
    const { parent } = this.tree;
    this.children = parent.map(() => []);
    this.end = Int32Array.from(parent, (_, node) => node + 1);
    this.leafOf = new Int32Array(parent.length).fill(-1);
    this.leafBegin = new Int32Array(parent.length + 1);
    this.leaves.node.forEach((node, leaf) => { this.leafOf[node] = leaf; });
    for (let node = 0; node < parent.length; ++node) {
      this.leafBegin[node + 1] = this.leafBegin[node] + (this.leafOf[node] >= 0 ? 1 : 0);
      if (node > 0) this.children[parent[node]].push(node);
    }
    for (let node = parent.length - 1; node > 0; --node) {
      this.end[parent[node]] = Math.max(this.end[parent[node]], this.end[node]);
    }
  }

  indexRows() {
    this.aliasesOf = new Map();
    this.targetOf = new Map();
    this.aliases.node.forEach((node, i) => {
      this.targetOf.set(node, this.aliases.target[i]);
      addTo(this.aliasesOf, this.aliases.target[i], node);
    });
    this.rowNodes = [...this.leaves.node, ...this.aliases.node].sort((a, b) => a - b);
    this.rowOfNode = new Map(this.rowNodes.map((node, row) => [node, row]));
    this.tagsOf = new Map();
    this.tags.node.forEach((node, i) => addTo(this.tagsOf, node, this.tags.tag[i]));
  }

  // Computes prefix sums over leaves, so that the sum of a subtree is a difference.
  makeSums() {
    const sums = (valueOf) => {
      const column = new Float64Array(this.leafIndexes.length + 1);
      for (const leaf of this.leafIndexes) column[leaf + 1] = column[leaf] + valueOf(leaf);
      return column;
    };
    this.sums = {
      bytes: sums((leaf) => this.weight(leaf)),
      parameters: sums((leaf) => this.get(leaf, 'parameters') ?? 0),
      squares: sums((leaf) => {
        const l2 = this.isFloating(leaf) ? this.get(leaf, 'l2') : 0;
        return Number.isFinite(l2) ? l2 * l2 : 0;
      }),
      odd: sums((leaf) => (this.isOdd(leaf) ? 1 : 0)),
      changed: sums((leaf) => (this.change && this.change.what[leaf] !== 'same' ? 1 : 0)),
    };
  }

  // Returns the value of a column on a side; null where the side does not have the leaf.
  getOn(side, leaf, column) { return decodeNumber(this.sides[side][column][leaf]); }
  has(side, leaf) { return this.sides[side].kind[leaf] !== null; }
  now(leaf) { return this.sides.length > 1 && this.has(1, leaf) ? 1 : 0; }
  get(leaf, column) { return this.getOn(this.now(leaf), leaf, column); }
  isTensor(leaf) { return this.get(leaf, 'kind') === 'tensor'; }
  // Returns the size in the treemap: in a comparison the larger of both sides.
  weight(leaf) { return Math.max(...this.sides.map((side) => side.bytes[leaf] ?? 0)); }
  // Norms of several leaves cover only these, because indices and counters would dominate.
  isFloating(leaf) { return this.isTensor(leaf) && /^(f|bf|c)/.test(this.get(leaf, 'dtype')); }
  isOdd(leaf) { return this.get(leaf, 'nan') > 0 || this.get(leaf, 'inf') > 0; }
  isConstant(leaf) {
    return this.get(leaf, 'count') > 1 && !this.isOdd(leaf) && this.get(leaf, 'min') === this.get(leaf, 'max');
  }
  rms(leaf) {
    const finite = this.get(leaf, 'count') - this.get(leaf, 'nan') - this.get(leaf, 'inf');
    return finite > 0 ? this.get(leaf, 'l2') / Math.sqrt(finite) : null;
  }
  // Returns the norm of the change, relative to the norm before.
  relativeChange(leaf) {
    const l2 = decodeNumber(this.change.l2[leaf]);
    if (!l2) return l2;
    const before = this.getOn(0, leaf, 'l2');
    return before > 0 ? l2 / before : Infinity;
  }
  // Returns the relative change of the norm from the first step to the last.
  seriesChange(leaf) {
    const values = this.series.l2[leaf].map(decodeNumber).filter((value) => value !== null);
    if (values.length < 2) return null;
    const [first, last] = [values[0], values.at(-1)];
    if (first === last) return 0;
    return first > 0 ? Math.abs(last - first) / first : Infinity;
  }

  // Returns the sum of a subtree.
  sum(node, name) {
    const column = this.sums[name];
    return column[this.leafBegin[this.end[node]]] - column[this.leafBegin[node]];
  }
  leavesBelow(node) { return this.leafBegin[this.end[node]] - this.leafBegin[node]; }

  // Returns the keys from the root, or another ancestor, to a node; those of `column`. Long paths are cut in the middle.
  keysOf(node, from = 0, column = this.tree.key) {
    const keys = [];
    for (let at = node; at > from; at = this.tree.parent[at]) keys.push(column[at]);
    if (keys.length > 256) keys.splice(128, keys.length - 256, '…');
    return keys.reverse();
  }

  // Returns the dotted path.
  pathOf(node, from = 0) { return node === 0 ? '(root)' : this.keysOf(node, from).join('.'); }

  // Returns the canonical path, as used by leafstore's functions and PyTorch's keys.
  canonicalOf(node) { return this.keysOf(node, 0, this.tree.step).join(''); }

  // Returns the end of the chain of single children that begins at `node`.
  throughChain(node) {
    while (this.children[node].length === 1 && this.leafOf[node] < 0) [node] = this.children[node];
    return node;
  }

  groupOf(leaf) { return this.leaves.group?.[leaf] ?? -1; }
  groupName(group) { return this.groups[group]?.name ?? '(in no group)'; }
  // Returns the fill of a group: grey for the rest, leaves in no group, and groups beyond the palette.
  groupFill(group) {
    const { name = null, rest = false } = this.groups[group] ?? {};
    return name === null || rest ? 'c-rest' : categoryFill(group);
  }

  // Returns the dotted path of every node; of long ones only the end.
  allPaths() {
    const { parent, key } = this.tree;
    const paths = ['(root)'];
    for (let node = 1; node < parent.length; ++node) {
      const above = paths[parent[node]];
      paths.push(parent[node] === 0 ? key[node] : `${above.slice(-4096)}.${key[node]}`);
    }
    return paths;
  }

  // Returns the texts of rows for the search, in lower case; computed at the first call.
  searchTexts() {
    if (this.texts) return this.texts;
    const paths = this.allPaths();
    this.texts = this.rowNodes.map((node) => {
      const leaf = this.leafOf[node];
      const parts = [paths[node], ...(this.tagsOf.get(node) ?? [])];
      if (leaf < 0) {
        parts.push('alias', 'tied', paths[this.targetOf.get(node)]);
      } else {
        parts.push(this.get(leaf, 'dtype'), this.get(leaf, 'kind'), this.valueText(leaf));
        if (this.leaves.group) parts.push(this.groupName(this.groupOf(leaf)));
      }
      return parts.join('\n').toLowerCase();
    });
    return this.texts;
  }

  valueText(leaf, side = this.now(leaf)) {
    const value = this.sides[side].value[leaf];
    return value === null || typeof value === 'string' ? value : JSON.stringify(value);
  }
}

// Throws an error about invalid data.
function readReport(text) {
  let report;
  try {
    report = JSON.parse(text);
  } catch (error) {
    throw new Error(`The data of this page is damaged: ${error.message}`);
  }
  if (report.schema !== 2) throw new Error(`The data of this page has schema ${report.schema}; these scripts read 2.`);
  if (report.items.length === 0) throw new Error('The file has no items.');
  report.items = report.items.map((item) => new Item(item, report));
  return report;
}

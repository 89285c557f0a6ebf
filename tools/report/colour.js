// The colours of leaves: by group, dtype, first keys of the path, or magnitude of a number.
//
// A colouring has `fillOf(leaf)`, the name of a fill in the style sheet, and `legend()`. Magnitudes have a logarithmic
// scale of seven steps of one hue, which can be distinguished without colour vision.

const STEPS = 7;
const PALETTE = 8;

const inkOf = (fill) => {
  if (fill === 'warn') return 'ink-warn';
  if (fill[0] !== 's') return 'ink-fill';
  return Number(fill[1]) >= 6 ? 'ink-high' : 'ink-low';
};

const swatch = (name) => el('span', { class: `swatch fill-${name}`, 'aria-hidden': 'true' });

function categories(names, categoryOf, fillOfCategory) {
  return {
    fillOf: (leaf) => fillOfCategory(categoryOf(leaf)),
    legend() {
      const shown = names.slice(0, PALETTE).map((name, i) =>
        el('span', {}, swatch(fillOfCategory(i)), bdi(name, { class: 'name', title: name })));
      if (names.length > PALETTE) shown.push(el('span', {}, swatch('rest'), `${names.length - PALETTE} more`));
      return shown;
    },
  };
}

// Sorts by bytes, so that large categories have their own colours.
function byText(item, textOf) {
  const bytes = new Map();
  const texts = [];
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    texts.push(textOf(leaf));
    bytes.set(texts[leaf], (bytes.get(texts[leaf]) ?? 0) + item.weight(leaf));
  }
  const names = [...bytes.keys()].sort((a, b) => bytes.get(b) - bytes.get(a));
  const numbers = new Map(names.map((name, i) => [name, i]));
  return categories(names, (leaf) => numbers.get(texts[leaf]), (i) => (i < PALETTE ? `c${i}` : 'rest'));
}

function byGroup(item) {
  return categories(item.groups.map((_, group) => item.groupName(group)), (leaf) => item.groupOf(leaf),
    (group) => item.groupFill(group));
}

// Returns the ends of a logarithmic scale; null if it has no values.
function logScale(item, valueOf) {
  const logs = [];
  for (let leaf = 0; leaf < item.leafCount; ++leaf) {
    const value = valueOf(leaf);
    if (value > 0 && Number.isFinite(value)) logs.push(Math.log10(value));
  }
  logs.sort((a, b) => a - b);
  // A few outliers must not determine the scale.
  const at = (share) => logs[Math.min(logs.length - 1, Math.floor(share * logs.length))];
  if (logs.length === 0) return null;
  const low = Math.max(at(0.02), at(0.98) - 8);
  return { low, high: Math.max(at(0.98), low + 0.1) };
}

function scaleLegend({ low, high }, format) {
  const steps = Array.from({ length: STEPS }, (_, i) => el('i', { class: `fill-s${i}` }));
  return el('span', {}, format(10 ** low), el('span', { class: 'scale', 'aria-hidden': 'true' }, steps),
    format(10 ** high));
}

// `valueOf` returns a number or null; `specials` have fills and labels for leaves that are not on the scale.
function bySize(item, valueOf, format, specials = []) {
  const scale = logScale(item, valueOf);
  const used = specials.filter((special) => {
    for (let leaf = 0; leaf < item.leafCount; ++leaf) if (item.isTensor(leaf) && special.takes(leaf)) return true;
    return false;
  });
  return {
    fillOf(leaf) {
      const special = used.find(({ takes }) => takes(leaf));
      if (special) return special.fill;
      const value = valueOf(leaf);
      if (isNone(value)) return 'rest';
      if (!(value > 0)) return 's0';
      if (!scale) return `s${STEPS - 1}`;  // infinite, as all others are
      const place = (Math.log10(value) - scale.low) / (scale.high - scale.low);
      return `s${clamp(Math.floor(place * STEPS), 0, STEPS - 1)}`;
    },
    legend() {
      const words = used.map((special) => el('span', {}, swatch(special.fill), special.label));
      return scale ? [scaleLegend(scale, format), ...words] : words;
    },
  };
}

// Colours by the first `depth` keys of the path.
function byKeys(item, depth) {
  return byText(item, (leaf) => {
    const keys = item.keysOf(item.leaves.node[leaf]);
    return keys.length > depth ? keys.slice(0, depth).join('.') : '(above)';
  });
}

function byChange(item) {
  const is = (...whats) => (leaf) => whats.includes(item.change.what[leaf]);
  return bySize(item, (leaf) => item.relativeChange(leaf), formatRatio, [
    { fill: 'rest', label: 'the same', takes: is('same') },
    { fill: 'c3', label: 'only after', takes: is('added') },
    { fill: 'c4', label: 'only before', takes: is('removed') },
    { fill: 'c1', label: 'another dtype, shape or kind', takes: is('dtype', 'shape', 'kind') },
  ]);
}

// Returns the useful colourings of an item, the default first, as {id, label, make()}.
function colourings(item) {
  const odd = { fill: 'warn', label: 'has NaN or infinite numbers', takes: (leaf) => item.isOdd(leaf) };
  const change = { id: 'change', label: 'Change', make: () => byChange(item) };
  const group = { id: 'group', label: 'Group', make: () => byGroup(item) };
  const first = { id: 'first', label: 'First key', make: () => byKeys(item, 1) };
  const second = { id: 'second', label: 'First two keys', make: () => byKeys(item, 2) };
  // A first key that all leaves share is not informative.
  const keys = item.children[0]?.length > 1 ? [first, second] : [second, first];
  const moved = {
    id: 'moved', label: 'Change over the steps',
    make: () => bySize(item, (leaf) => seriesChange(item, leaf), formatRatio, [odd]),
  };
  return [
    ...(item.change ? [change] : []),
    ...(item.leaves.group ? [group] : []),
    ...keys,
    { id: 'dtype', label: 'Dtype', make: () => byText(item, (leaf) => item.get(leaf, 'dtype') ?? 'static') },
    { id: 'rms', label: 'Size of numbers (RMS)', make: () =>
        bySize(item, (leaf) => item.rms(leaf), (value) => formatNumber(value, 2), [odd]) },
    ...(item.series ? [moved] : []),
  ];
}

// Returns the relative change of the norm from the first step to the last.
function seriesChange(item, leaf) {
  const values = item.series.l2[leaf].map(decodeNumber).filter((value) => value !== null);
  if (values.length < 2) return null;
  const [first, last] = [values[0], values[values.length - 1]];
  if (first === last) return 0;
  return first > 0 ? Math.abs(last - first) / first : Infinity;
}

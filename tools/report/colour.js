// The colours of leaves: by group, dtype, first keys of the path, or magnitude of a number.
//
// A colouring has `fillOf(leaf)`, the name of a colour in the style sheet, and `legend()`. Magnitudes have a logarithmic
// scale of seven steps of one hue, which can be distinguished without colour vision.

const STEPS = 7;
const PALETTE = 8;

const colourOf = (name) => `var(--${name})`;

// Returns the colour of text on a fill.
const inkOf = (fill) => {
  if (fill === 'warn') return 'on-accent';
  if (fill[0] !== 's') return 'fill-ink';
  return Number(fill[1]) >= 6 ? 's-high-ink' : 's-low-ink';
};

const swatch = (fill) => el('span', { class: 'swatch', 'aria-hidden': 'true', style: { background: colourOf(fill) } });

const categoryFill = (i) => (i < PALETTE ? `c${i}` : 'c-rest');

function categories(names, categoryOf, fillOfCategory) {
  return {
    fillOf: (leaf) => fillOfCategory(categoryOf(leaf)),
    legend() {
      const shown = names.slice(0, PALETTE).map((name, i) =>
        el('span', {}, swatch(fillOfCategory(i)), bdi(name, { class: 'name', title: name })));
      if (names.length > PALETTE) shown.push(el('span', {}, swatch('c-rest'), `${names.length - PALETTE} more`));
      return shown;
    },
  };
}

// Sorts by bytes, so that large categories have their own colours.
function byText(item, textOf) {
  const bytes = new Map();
  const texts = item.leafIndexes.map(textOf);
  texts.forEach((text, leaf) => bytes.set(text, (bytes.get(text) ?? 0) + item.weight(leaf)));
  const names = [...bytes.keys()].sort((a, b) => bytes.get(b) - bytes.get(a));
  const numbers = new Map(names.map((name, i) => [name, i]));
  return categories(names, (leaf) => numbers.get(texts[leaf]), categoryFill);
}

function byGroup(item) {
  return categories(item.groups.map((_, group) => item.groupName(group)), (leaf) => item.groupOf(leaf),
    (group) => item.groupFill(group));
}

// Returns the ends of a logarithmic scale; null if it has no values.
function logScale(item, valueOf) {
  const values = item.leafIndexes.map((leaf) => valueOf(leaf));
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10).sort((a, b) => a - b);
  if (logs.length === 0) return null;
  // A few outliers must not determine the scale.
  const at = (share) => logs[Math.floor(share * logs.length)];
  const low = Math.max(at(0.02), at(0.98) - 8);
  return { low, high: Math.max(at(0.98), low + 0.1) };
}

function scaleLegend({ low, high }, format) {
  const steps = Array.from({ length: STEPS }, (_, i) => el('i', { style: { background: colourOf(`s${i}`) } }));
  return el('span', {}, format(10 ** low), el('span', { class: 'scale', 'aria-hidden': 'true' }, steps),
    format(10 ** high));
}

// `valueOf` returns a number or null; `specials` have fills and labels for leaves that are not on the scale.
function bySize(item, valueOf, format, specials) {
  const scale = logScale(item, valueOf);
  const used = specials.filter(({ takes }) => item.leafIndexes.some((leaf) => item.isTensor(leaf) && takes(leaf)));
  return {
    fillOf(leaf) {
      const special = used.find(({ takes }) => takes(leaf));
      if (special) return special.fill;
      const value = valueOf(leaf);
      if (isNone(value)) return 'c-rest';
      if (!(value > 0)) return 's0';
      if (!scale) return `s${STEPS - 1}`;  // infinite, as all others are
      const place = (Math.log10(value) - scale.low) / (scale.high - scale.low);
      return `s${clamp(Math.floor(place * STEPS), 0, STEPS - 1)}`;
    },
    legend() {
      const words = used.map(({ fill, label }) => el('span', {}, swatch(fill), label));
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
    { fill: 'c-rest', label: 'the same', takes: is('same') },
    { fill: 'c3', label: 'only after', takes: is('added') },
    { fill: 'c4', label: 'only before', takes: is('removed') },
    { fill: 'c1', label: 'another dtype, shape or kind', takes: is('dtype', 'shape', 'kind') },
  ]);
}

// Returns the useful colourings of an item, the default first, as [id, label, make].
function colouringsOf(item) {
  const odd = { fill: 'warn', label: 'has NaN or infinite numbers', takes: (leaf) => item.isOdd(leaf) };
  const keys = [['first', 'First key', () => byKeys(item, 1)], ['second', 'First two keys', () => byKeys(item, 2)]];
  return [
    item.change && ['change', 'Change', () => byChange(item)],
    item.leaves.group && ['group', 'Group', () => byGroup(item)],
    // A first key that all leaves share is not informative.
    ...(item.children[0].length > 1 ? keys : keys.reverse()),
    ['dtype', 'Dtype', () => byText(item, (leaf) => item.get(leaf, 'dtype') ?? 'static')],
    ['rms', 'Size of numbers (RMS)',
      () => bySize(item, (leaf) => item.rms(leaf), (value) => formatNumber(value, 2), [odd])],
    item.series && ['moved', 'Change over the steps',
      () => bySize(item, (leaf) => item.seriesChange(leaf), formatRatio, [odd])],
  ].filter(Boolean);
}

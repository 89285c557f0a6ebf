// Formatting of numbers, and construction of elements. Text from a file becomes a text node, never markup: these scripts
// do not parse markup, and do not set attributes that contain code.

const NONE = '–';
const MINUS = '−';

const isNone = (value) => value === null || value === undefined || Number.isNaN(value);

// Formats a number with four significant digits; a dash if there is none.
function formatNumber(value, digits = 4) {
  if (isNone(value)) return NONE;
  if (value < 0) return MINUS + formatNumber(-value, digits);
  if (value === Infinity) return '∞';
  if (value >= 10 ** digits && value < 1e6) return formatCount(Math.round(value));
  if (value === 0 || (value >= 1e-4 && value < 1e6)) return String(Number(value.toPrecision(digits)));
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e');
  return `${Number(mantissa)}e${exponent.replace('+', '').replace('-', MINUS)}`;
}

const formatCount = (value) => (isNone(value) ? NONE : value.toLocaleString('en-GB'));
const countOf = (count, one, many) => `${formatCount(count)} ${count === 1 ? one : many}`;

// Formats 1,234,567 as 1.23 M.
function formatShort(value) {
  for (const [unit, size] of [['T', 1e12], ['G', 1e9], ['M', 1e6], ['k', 1e4]]) {
    if (value >= size) return `${Number((value / (unit === 'k' ? 1e3 : size)).toPrecision(3))} ${unit}`;
  }
  return formatCount(value);
}

function formatBytes(value) {
  if (isNone(value)) return NONE;
  if (value < 1024) return `${value} B`;
  let size = value / 1024;
  let unit = 0;
  for (; size >= 1023.95 && unit < 5; ++unit) size /= 1024;
  return `${size.toFixed(1)} ${'KMGTPE'[unit]}iB`;
}

function formatShare(part, whole) {
  if (!(whole > 0)) return NONE;
  const share = 100 * part / whole;
  if (share > 0 && share < 0.1) return '<0.1%';
  return `${share.toFixed(share >= 99.95 ? 0 : 1)}%`;
}

// Formats a ratio of any magnitude as a percentage.
const formatRatio = (value) => (Number.isFinite(value) ? `${formatNumber(100 * value, 3)}%` : formatNumber(value));

const formatShape = (shape) => (shape ? shape.join(' × ') || 'scalar' : NONE);

// Make an element with attributes (`onclick`, `style` as an object, others by name; null and false leave one out) and
// children; strings become text nodes.
const el = (tag, ...content) => fill(document.createElement(tag), ...content);
const svgEl = (tag, ...content) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), ...content);

const isGiven = (value) => value !== null && value !== undefined && value !== false;

function fill(element, attributes = {}, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'style') Object.assign(element.style, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (isGiven(value)) element.setAttribute(name, value === true ? '' : value);
    else element.removeAttribute(name);
  }
  element.append(...children.flat(Infinity).filter(isGiven));
  return element;
}

const byId = (id) => document.getElementById(id);

// Replaces the children of the element with this id.
function setContent(id, ...children) {
  byId(id).replaceChildren();
  return fill(byId(id), {}, ...children);
}

// Makes text whose direction does not affect its surroundings, for names in Hebrew or Arabic.
const bdi = (text, attributes = {}) => el('bdi', attributes, text);

const reducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// Returns the value of a key in a map; makes it at the first call.
function cached(map, key, make) {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
}

// Adds to the list of a key in a map of lists.
const addTo = (lists, key, value) => cached(lists, key, () => []).push(value);

// Returns the last index up to `high` for which `holds` is true, as for all before it; 0 if there is none.
function lastWhere(high, holds) {
  let low = 0;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (holds(middle)) low = middle; else high = middle - 1;
  }
  return low;
}

// Returns the index that a key of the keyboard goes to in a list of `count` from index `at`; undefined for other keys.
// `moves` maps arrows and pages to distances.
function keyTarget(key, at, count, moves) {
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  return key in moves ? clamp(at + moves[key], 0, count - 1) : undefined;
}

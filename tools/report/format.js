// Formatting of numbers, and construction of elements. Text from a file becomes a text node, never markup: these scripts
// do not parse markup, and do not set attributes that contain code.

const NONE = '–';
const MINUS = '−';

const isNone = (value) => value === null || value === undefined || Number.isNaN(value);

// Formats a number with four significant digits; a dash if there is none.
function formatNumber(value, digits = 4) {
  if (isNone(value)) return NONE;
  if (value === Infinity) return '∞';
  if (value === -Infinity) return `${MINUS}∞`;
  if (value === 0) return '0';
  const size = Math.abs(value);
  let text;
  if (size >= 1e-4 && size < 1e6) {
    const rounded = Number(size.toPrecision(digits));
    text = size >= 10 ** digits ? formatCount(Math.round(size)) : String(rounded);
  } else {
    const [mantissa, exponent] = size.toExponential(digits - 1).split('e');
    text = `${Number(mantissa)}e${exponent.replace('+', '').replace('-', MINUS)}`;
  }
  return value < 0 ? MINUS + text : text;
}

const formatCount = (value) => (isNone(value) ? NONE : value.toLocaleString('en-GB'));

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
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let size = value / 1024;
  let unit = 0;
  while (size >= 1023.95 && unit + 1 < units.length) {
    size /= 1024;
    ++unit;
  }
  return `${size.toFixed(1)} ${units[unit]}`;
}

function formatShare(part, whole) {
  if (!(whole > 0)) return NONE;
  const share = 100 * part / whole;
  if (share > 0 && share < 0.1) return '<0.1%';
  return `${share.toFixed(share >= 99.95 ? 0 : 1)}%`;
}

// Formats a ratio of any magnitude as a percentage.
function formatRatio(value) {
  if (isNone(value)) return NONE;
  if (value === Infinity) return '∞';
  if (value === 0) return '0%';
  return `${formatNumber(100 * value, 3)}%`;
}

function formatShape(shape) {
  if (!shape) return NONE;
  return shape.length === 0 ? 'scalar' : shape.join(' × ');
}

const countOf = (count, one, many) => `${formatCount(count)} ${count === 1 ? one : many}`;

// Makes an element with attributes (`class`, `onclick`, others by name; null and false leave one out) and children;
// strings become text nodes.
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svgEl = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

const byId = (id) => document.getElementById(id);

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

// Returns the index that a key of the keyboard goes to in a list of `count` from index `at`; undefined for other keys.
// `moves` maps arrows and pages to distances.
function keyTarget(key, at, count, moves) {
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  return key in moves ? clamp(at + moves[key], 0, count - 1) : undefined;
}

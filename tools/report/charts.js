// Histograms and lines, as SVG.
//
// The values come from a file: they may be a single number, numbers that differ in their last bit, or the smallest and
// largest numbers. So a range of values has a minimum width, and a range that overflows is computed by halves.

// Returns the smallest and largest finite value; null if there is none.
function extentOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? { low, high } : null;
}

// Widens a range, so that values that hardly change make a nearly horizontal line.
function widened({ low, high }) {
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const least = Math.max(0.01 * size, Number.MIN_VALUE * 2 ** 60);
  if (high - low >= least) return { low, high };
  const middle = low / 2 + high / 2;
  const most = Number.MAX_VALUE;
  return { low: Math.max(middle - least / 2, -most), high: Math.min(middle + least / 2, most) };
}

// Returns the position of a value in a range, 0 to 1; the middle for a range without width.
function placeIn(value, { low, high }) {
  if (!(high > low)) return 0.5;
  return Number.isFinite(high - low) ? (value - low) / (high - low) : (value / 2 - low / 2) / (high / 2 - low / 2);
}

const svgLine = (name, x1, y1, x2, y2, others = {}) => svgEl('line', { class: name, x1, y1, x2, y2, ...others });
const svgText = (name, x, y, text, attributes = {}) => svgEl('text', { class: name, x, y, ...attributes }, text);
// Makes a path in the colour of a fill, for a line as a variant with more contrast.
const svgPath = (name, fill, d, others = {}) =>
  svgEl('path', { class: name, d, style: { stroke: colourOf(fill.replace(/^c/, 'l')) }, ...others });
// A drawing without words for a cell of the table.
const spark = (...children) => svgEl('svg',
  { class: 'spark', viewBox: '0 0 96 22', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, ...children);

// Every bar with a count is visible.
function barsPath(counts, most, width, height) {
  const step = width / counts.length;
  const gap = step > 4 ? 1 : 0;
  return counts.map((count, i) => {
    if (count === 0) return '';
    const size = Math.max(height * count / most, 0.8).toFixed(2);
    return `M${(i * step).toFixed(2)} ${height.toFixed(2)}v-${size}h${(step - gap).toFixed(2)}v${size}z`;
  }).join('');
}

function outlinePath(counts, most, width, height) {
  const step = width / counts.length;
  return `M0 ${height}${counts.map((count, i) =>
    `V${(height - height * count / most).toFixed(2)}H${((i + 1) * step).toFixed(2)}`).join('')}V${height}`;
}

// Returns the shapes of a leaf's histogram; its range (of the finite numbers, in a comparison those of both sides); the
// largest count; the counts now, and before if these are drawn as a line. Returns null without finite numbers.
function drawHistogram(item, leaf, width, height) {
  const histograms = item.sides.map((side) => side.histogram[leaf]);
  const range = extentOf(item.sides.flatMap((_, side) =>
    (histograms[side] ? [item.getOn(side, leaf, 'min'), item.getOn(side, leaf, 'max')] : [])));
  if (!range) return null;
  const most = Math.max(1, ...histograms.flatMap((counts) => counts ?? []));
  const zero = range.low < 0 && range.high > 0 ? width * placeIn(0, range) : null;
  const now = histograms[item.now(leaf)];
  const before = item.now(leaf) === 1 ? histograms[0] : null;
  const shapes = [
    zero !== null && svgLine('zero', zero, 0, zero, height),
    now && svgEl('path', { class: 'bars', d: barsPath(now, most, width, height) }),
    before && svgEl('path', { class: 'bars-before', d: outlinePath(before, most, width, height),
      'vector-effect': 'non-scaling-stroke' }),
  ];
  return { shapes, ...range, most, zero, now, before };
}

function sparkHistogram(item, leaf) {
  const drawn = drawHistogram(item, leaf, 96, 22);
  return drawn && spark(drawn.shapes);
}

// Adds the axis, for the details of a leaf.
function histogramFigure(item, leaf) {
  const [width, height] = [360, 104];
  const drawn = drawHistogram(item, leaf, width, height);
  if (!drawn) return null;
  const { low, high, most, zero, now, before } = drawn;
  const tick = (value, x, anchor) =>
    svgText('tick', x, height + 15, formatNumber(value, 3), { 'text-anchor': anchor });
  const caption = low === high ? `All finite numbers are ${formatNumber(low)}`
    : `Distribution, up to ${formatCount(most)} in a bin${before ? '; before as a line' : ''}`;
  const svg = svgEl('svg', {
    viewBox: `0 0 ${width} ${height + 20}`, role: 'img',
    'aria-label': `Histogram in ${(now ?? before).length} bins from ${formatNumber(low)} to ${formatNumber(high)}, ` +
      `up to ${formatCount(most)} numbers in a bin`,
  }, drawn.shapes, svgLine('axis', 0, height, width, height), tick(low, 0, 'start'),
  high > low && tick(high, width, 'end'), zero > 70 && zero < width - 70 && tick(0, zero, 'middle'));
  return el('figure', {}, el('figcaption', {}, caption), svg);
}

// Returns the pieces of a line, with a gap where there is no number.
function linePath(points) {
  return points.map((point, i) =>
    (point ? `${points[i - 1] ? 'L' : 'M'}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : '')).join('');
}

// Draws a point between two gaps as a small cross.
function lonePoints(points) {
  return points.map((point, i) => (point && !points[i - 1] && !points[i + 1]
    ? `M${point[0] - 3} ${point[1]}h6M${point[0]} ${point[1] - 3}v6` : '')).join('');
}

function sparkLine(values) {
  const extent = extentOf(values);
  if (!extent) return null;
  const range = widened(extent);
  const points = values.map((value, i) => (Number.isFinite(value)
    ? [values.length > 1 ? 96 * i / (values.length - 1) : 48, 20 - 18 * placeIn(value, range)] : null));
  return spark(svgPath('series', 'accent', linePath(points), { 'vector-effect': 'non-scaling-stroke' }));
}

// Returns about `count` round numbers in a range, ascending; fewer or none where numbers are too far apart.
function roundTicks(low, high, count) {
  const pieces = clamp(count, 3, 8);
  const rough = high / pieces - low / pieces;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 2.5, 5, 10].map((times) => times * unit).find((size) => size >= rough);
  const step = Number.isFinite(round) ? round : unit;
  const first = Math.ceil(low / step - 1e-9);
  const most = Math.floor(high / step + 1e-9) - first + 1;
  if (!(step > 0) || !(most > 0)) return [];
  const ticks = Array.from({ length: Math.min(most, 2 * pieces) }, (_, i) => (first + i) * step);
  return [...new Set(ticks.filter(Number.isFinite))];
}

// Draws lines over steps, named at their ends, with a readout for the pointer and the arrow keys. Draws them again when
// the width changes, so that text keeps its size.
//   lines: [{name, fill, values, label}]
function lineChart({ title, steps, lines, height = 190 }) {
  const figure = el('figure', { class: 'chart' }, el('h3', {}, bdi(title)));
  const known = extentOf(lines.flatMap((line) => line.values));
  if (!known) return fill(figure, {}, el('p', { class: 'empty' }, 'No numbers to draw.'));
  const reading = el('p', { class: 'reading', 'aria-live': 'polite' });
  let at = -1;
  let drawn = null;
  const read = (i) => {
    at = i;
    reading.textContent = i < 0 ? '' : `Step ${formatCount(steps[i])}: ` +
      lines.map((line) => (lines.length > 1 ? `${line.name} ` : '') + formatNumber(line.values[i])).join(', ');
    const x = i < 0 ? {} : { x1: drawn.x(steps[i]), x2: drawn.x(steps[i]) };
    fill(drawn.hair, { visibility: i < 0 ? 'hidden' : 'visible', ...x });
  };
  const frame = el('div', {
    class: 'chart-frame', tabindex: '0', role: 'img', 'aria-label': chartInWords(title, steps, lines),
    style: { minHeight: `${height}px` },  // reserves its space before it is drawn
    onpointermove: (event) => {
      const step = drawn.stepAt(event.clientX - drawn.svg.getBoundingClientRect().left);
      if (step !== at) read(step);
    },
    onpointerleave: () => read(-1),
    onblur: () => read(-1),
    onkeydown: (event) => {
      const to = keyTarget(event.key, at, steps.length, { ArrowRight: 1, ArrowLeft: -1 });
      if (to === undefined) return;
      read(to);
      event.preventDefault();
    },
  });
  new ResizeObserver(() => {
    if (!figure.clientWidth || figure.clientWidth === drawn?.width) return;
    drawn = drawLines(steps, lines, known, figure.clientWidth, height);
    frame.replaceChildren(drawn.svg);
    read(at);
  }).observe(figure);
  return fill(figure, {}, frame, reading);
}

function chartInWords(title, steps, lines) {
  const ends = lines.slice(0, 12).map(({ name, values }) =>
    `${name}: ${formatNumber(values.find(Number.isFinite))} to ${formatNumber(values.findLast(Number.isFinite))}`);
  return `${title}, from step ${formatCount(steps[0])} to ${formatCount(steps.at(-1))}. ` +
    `${ends.join('; ')}. Left and right read it step by step.`;
}

// Returns the drawing: `svg`, its `width`, the line `hair` at the step that is read, `x` of a step, and `stepAt`, the
// index of the step that is nearest to a position, or -1 outside of the axes.
function drawLines(steps, lines, known, width, height) {
  const named = lines.length > 1 || lines[0].label;
  const [left, right] = [52, width - (named ? Math.min(150, width * 0.32) : 12)];
  const [top, bottom] = [8, height - 22];
  const range = widened({ ...known, low: known.low > 0 && known.low < 0.5 * known.high ? 0 : known.low });
  const [first, last] = [steps[0], steps.at(-1)];
  const x = (step) => left + (right - left) * placeIn(step, { low: first, high: last });
  const y = (value) => top + (bottom - top) * (1 - placeIn(value, range));
  const marks = roundTicks(range.low, range.high, height / 45);
  const ticks = last > first ? roundTicks(first, last, (right - left) / 70).filter(Number.isInteger) : [first];
  const drawn = lines.map(({ name, fill, values }) => {
    const points = values.map((value, i) => (Number.isFinite(value) ? [x(steps[i]), y(value)] : null));
    return { name, fill, points, end: points.findLast(Boolean) };
  });
  const hair = svgLine('hair', 0, top, 0, bottom, { visibility: 'hidden' });
  const svg = svgEl('svg', { viewBox: `0 0 ${width} ${height}`, height, 'aria-hidden': 'true' },
    marks.map((value) => [svgLine('rule', left, y(value), right, y(value)),
      svgText('tick', left - 8, y(value) + 4, formatNumber(value), { 'text-anchor': 'end' })]),
    ticks.map((step) => svgText('tick', x(step), height - 5, formatCount(step), { 'text-anchor': 'middle' })),
    drawn.map(({ fill, points }) => svgPath('series', fill, linePath(points) + lonePoints(points))),
    named && drawLabels(drawn.filter(({ end }) => end), top, bottom, right, width), hair);
  const stepAt = (at) => {
    if (at < left - 10 || at > right + 10) return -1;
    return steps.reduce((best, step, i) => (Math.abs(x(step) - at) < Math.abs(x(steps[best]) - at) ? i : best), 0);
  };
  return { svg, width, hair, x, stepAt };
}

// Draws the names of lines without overlap, as near to the ends of the lines as possible.
function drawLabels(lines, top, bottom, right, width) {
  const room = 14;
  lines.sort((a, b) => a.end[1] - b.end[1]);
  let next = top + 4;
  for (const line of lines) {
    line.place = Math.max(line.end[1], next);
    next = line.place + room;
  }
  let limit = bottom + 2;
  for (const line of [...lines].reverse()) {
    line.place = Math.min(line.place, limit);
    limit = line.place - room;
  }
  return lines.map(({ name, fill, end: [x, y], place }) => [
    svgPath('series', fill, `M${(x + 2).toFixed(1)} ${y.toFixed(1)}L${(right + 12).toFixed(1)} ${place.toFixed(1)}`,
      { 'stroke-opacity': 0.5 }),
    svgText('label', (right + 16).toFixed(1), place + 4,
      [shorten(name, Math.floor((width - right - 16) / 6.8)), svgEl('title', {}, name)]),
  ]);
}

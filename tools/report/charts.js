// Histograms and lines, as SVG.
//
// The values come from a file: they may be a single number, numbers that differ in their last bit, or the smallest and
// largest numbers. So a range of values has a minimum width, and a range that overflows is computed by halves.

// Returns the smallest and largest finite value; null if there is none.
function extentOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
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

// Returns the range of a leaf's histogram: of its finite numbers, in a comparison those of both sides.
const histogramRange = (item, leaf) => extentOf(item.sides.flatMap((side, i) =>
  (side.histogram?.[leaf] ? [item.getOn(i, leaf, 'min'), item.getOn(i, leaf, 'max')] : [])));

const svgLine = (name, x1, y1, x2, y2, others = {}) => svgEl('line', { class: name, x1, y1, x2, y2, ...others });
const svgText = (name, x, y, text, attributes = {}) => svgEl('text', { class: name, x, y, ...attributes }, text);
// A drawing without words for a cell of the table.
const spark = (...children) => svgEl('svg',
  { class: 'spark', viewBox: '0 0 96 22', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, ...children);

const histogramsOf = (item, leaf) => item.sides.map((side) => side.histogram?.[leaf] ?? null);

// Every bar with a count is visible.
function barsPath(counts, most, width, height) {
  const step = width / counts.length;
  const gap = step > 4 ? 1 : 0;
  return counts.map((count, i) => {
    if (count === 0) return '';
    const size = Math.max(height * count / most, 0.8);
    return `M${(i * step).toFixed(2)} ${height.toFixed(2)}v${(-size).toFixed(2)}h${(step - gap).toFixed(2)}v${size.toFixed(2)}z`;
  }).join('');
}

function outlinePath(counts, most, width, height) {
  const step = width / counts.length;
  return `M0 ${height}${counts.map((count, i) =>
    `V${(height - height * count / most).toFixed(2)}H${((i + 1) * step).toFixed(2)}`).join('')}V${height}`;
}

// Returns the shapes, their range, and the largest count; null without finite numbers.
function drawHistogram(item, leaf, width, height) {
  const histograms = histogramsOf(item, leaf);
  const most = Math.max(1, ...histograms.flatMap((counts) => counts ?? []));
  const range = histogramRange(item, leaf);
  if (!range) return null;
  const shapes = [];
  if (range.low < 0 && range.high > 0) {
    const x = width * placeIn(0, range);
    shapes.push(svgLine('zero', x, 0, x, height));
  }
  const now = histograms[item.now(leaf)];
  if (now) shapes.push(svgEl('path', { class: 'bars', d: barsPath(now, most, width, height) }));
  if (item.now(leaf) === 1 && histograms[0]) {
    shapes.push(svgEl('path', { class: 'bars-before', d: outlinePath(histograms[0], most, width, height),
      'vector-effect': 'non-scaling-stroke' }));
  }
  return { shapes, range, most };
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
  const { low, high } = drawn.range;
  const tick = (value, x, anchor) =>
    svgText('tick', x, height + 15, formatNumber(value, 3), { 'text-anchor': anchor });
  const zero = width * placeIn(0, drawn.range);
  const both = item.now(leaf) === 1 && histogramsOf(item, leaf)[0];
  const bins = histogramsOf(item, leaf)[item.now(leaf)].length;
  const caption = low === high ? `All finite numbers are ${formatNumber(low)}`
    : `Distribution, up to ${formatCount(drawn.most)} in a bin${both ? '; before as a line' : ''}`;
  const svg = svgEl('svg', {
    viewBox: `0 0 ${width} ${height + 20}`, role: 'img',
    'aria-label': `Histogram in ${bins} bins from ${formatNumber(low)} to ${formatNumber(high)}, ` +
      `up to ${formatCount(drawn.most)} numbers in a bin`,
  }, drawn.shapes, svgLine('axis', 0, height, width, height), tick(low, 0, 'start'),
  high > low ? tick(high, width, 'end') : null,
  low < 0 && high > 0 && zero > 70 && zero < width - 70 ? tick(0, zero, 'middle') : null);
  return el('figure', {}, el('figcaption', {}, caption), svg);
}

// Returns the pieces of a line, with a gap where there is no number.
function linePath(points) {
  let pen = 'M';
  return points.map((point) => {
    if (!point) { pen = 'M'; return ''; }
    const part = `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = 'L';
    return part;
  }).join('');
}

function sparkLine(values) {
  const extent = extentOf(values);
  if (!extent) return null;
  const range = widened(extent);
  const points = values.map((value, i) => (Number.isFinite(value)
    ? [values.length > 1 ? 96 * i / (values.length - 1) : 48, 20 - 18 * placeIn(value, range)] : null));
  return spark(svgEl('path',
    { class: 'series line-accent', d: linePath(points), 'vector-effect': 'non-scaling-stroke' }));
}

// Returns about `count` round numbers in a range, ascending; fewer or none where numbers are too far apart.
function roundTicks(low, high, count) {
  const pieces = Math.max(3, Math.min(8, count));
  const rough = high / pieces - low / pieces;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 2.5, 5, 10].map((times) => times * unit).find((size) => size >= rough);
  const step = Number.isFinite(round) ? round : unit;
  const first = Math.ceil(low / step - 1e-9);
  const most = Math.floor(high / step + 1e-9) - first + 1;
  if (!(step > 0) || !(most > 0)) return [];
  const ticks = [];
  for (let i = 0; i < Math.min(most, 2 * pieces); ++i) {
    const tick = (first + i) * step;
    if (Number.isFinite(tick) && tick !== ticks[ticks.length - 1]) ticks.push(tick);
  }
  return ticks;
}

// Draws lines over steps, named at their ends, with a readout for the pointer and the arrow keys. Draws them again when
// the width changes, so that text keeps its size.
//   lines: [{name, fill: 'c0', values, label}]; format: of a value.
function lineChart(chart) {
  const { title, lines } = chart;
  const known = extentOf(lines.flatMap((line) => line.values));
  if (!known) return el('figure', { class: 'chart' }, el('h3', {}, title),
      el('p', { class: 'empty' }, 'No numbers to draw.'));
  const figure = el('figure', { class: 'chart' }, el('h3', {}, bdi(title)));
  const frame = chartFrame(chart);
  figure.append(frame.element, frame.reading);
  let drawn = 0;
  new ResizeObserver(() => {
    if (figure.clientWidth === drawn || figure.clientWidth === 0) return;
    drawn = figure.clientWidth;
    frame.show(drawLines(chart, known, drawn));
  }).observe(figure);
  return figure;
}

// Returns the axes of a chart, of steps and of values.
function axesOf({ steps, lines, height = 190 }, known, width) {
  const left = 52;
  const named = lines.length > 1 || lines[0].label;
  const right = named ? Math.min(150, width * 0.32) : 12;
  const [top, bottom] = [8, 22];
  const range = widened({ ...known, low: known.low > 0 && known.low < 0.5 * known.high ? 0 : known.low });
  const [first, last] = [steps[0], steps[steps.length - 1]];
  return {
    left, right, top, bottom, width, height, ...range, first, last, named,
    x: (step) => left + (width - left - right) * placeIn(step, { low: first, high: last }),
    y: (value) => top + (height - top - bottom) * (1 - placeIn(value, range)),
  };
}

function drawLines(chart, known, width) {
  const { steps, lines, format } = chart;
  const axes = axesOf(chart, known, width);
  const { left, right, top, bottom, height, x, y } = axes;
  const svg = svgEl('svg', { viewBox: `0 0 ${width} ${height}`, height, 'aria-hidden': 'true' });
  for (const tick of roundTicks(axes.low, axes.high, height / 45)) {
    svg.append(svgLine('rule', left, y(tick), width - right, y(tick)),
      svgText('tick', left - 8, y(tick) + 4, format(tick), { 'text-anchor': 'end' }));
  }
  const stepTicks = axes.last > axes.first
    ? roundTicks(axes.first, axes.last, (width - left - right) / 70).filter(Number.isInteger) : [axes.first];
  for (const tick of stepTicks) {
    svg.append(svgText('tick', x(tick), height - 5, formatCount(tick), { 'text-anchor': 'middle' }));
  }
  const ends = [];
  for (const line of lines) {
    const points = line.values.map((value, i) => (Number.isFinite(value) ? [x(steps[i]), y(value)] : null));
    svg.append(svgEl('path', { class: `series line-${line.fill}`, d: linePath(points) + lonePoints(points) }));
    const end = points.findLast(Boolean);
    if (end && axes.named) ends.push({ line, y: end[1], x: end[0] });
  }
  for (const { line, y: at, x: from, place } of placeLabels(ends, top, height - bottom)) {
    svg.append(svgEl('path', { class: `series line-${line.fill}`, 'stroke-opacity': 0.5,
      d: `M${(from + 2).toFixed(1)} ${at.toFixed(1)}L${(width - right + 12).toFixed(1)} ${place.toFixed(1)}` }));
    svg.append(svgText('label', (width - right + 16).toFixed(1), place + 4,
      [shorten(line.name, Math.floor((right - 16) / 6.8)), svgEl('title', {}, line.name)]));
  }
  const hair = svgLine('hair', 0, top, 0, height - bottom, { visibility: 'hidden' });
  svg.append(hair);
  return { svg, hair, axes };
}

// Draws a point between two gaps as a small cross.
function lonePoints(points) {
  return points.map((point, i) => (point && !points[i - 1] && !points[i + 1]
    ? `M${point[0] - 3} ${point[1]}h6M${point[0]} ${point[1] - 3}v6` : '')).join('');
}

// Places labels without overlap, as near to the ends of their lines as possible.
function placeLabels(ends, top, bottom) {
  const room = 14;
  ends.sort((a, b) => a.y - b.y);
  let next = top + 4;
  for (const end of ends) {
    end.place = Math.max(end.y, next);
    next = end.place + room;
  }
  let limit = bottom + 2;
  for (const end of [...ends].reverse()) {
    end.place = Math.min(end.place, limit);
    limit = end.place - room;
  }
  return ends;
}

function chartInWords({ title, steps, lines, format }) {
  const ends = lines.slice(0, 12).map((line) =>
    `${line.name}: ${format(line.values.find(Number.isFinite))} to ${format(line.values.findLast(Number.isFinite))}`);
  return `${title}, from step ${formatCount(steps[0])} to ${formatCount(steps[steps.length - 1])}. ` +
    `${ends.join('; ')}. Left and right read it step by step.`;
}

// Returns the step nearest to the pointer, or -1 outside of the axes.
function stepAt(event, steps, { axes, svg }) {
  const x = event.clientX - svg.getBoundingClientRect().left;
  if (x < axes.left - 10 || x > axes.width - axes.right + 10) return -1;
  let best = 0;
  steps.forEach((step, i) => { if (Math.abs(axes.x(step) - x) < Math.abs(axes.x(steps[best]) - x)) best = i; });
  return best;
}

// Makes the element for focus and pointer, and the line below with the values.
function chartFrame({ title, steps, lines, format, height = 190 }) {
  const reading = el('p', { class: 'reading', 'aria-live': 'polite' });
  let at = -1;
  let drawing = null;
  const read = (i) => {
    at = i;
    drawing.hair.setAttribute('visibility', i < 0 ? 'hidden' : 'visible');
    reading.textContent = i < 0 ? '' : `Step ${formatCount(steps[i])}: ` +
      lines.map((line) => (lines.length > 1 ? `${line.name} ` : '') + format(line.values[i])).join(', ');
    if (i >= 0) for (const name of ['x1', 'x2']) drawing.hair.setAttribute(name, drawing.axes.x(steps[i]));
  };
  const point = (event) => {
    const step = stepAt(event, steps, drawing);
    if (step !== at) read(step);
  };
  const element = el('div', {
    class: 'chart-frame', tabindex: '0', role: 'img', 'aria-label': chartInWords({ title, steps, lines, format }),
    onpointermove: point,
    onpointerleave: () => read(-1),
    onblur: () => read(-1),
    onkeydown: (event) => {
      const to = keyTarget(event.key, at, steps.length, { ArrowRight: 1, ArrowLeft: -1 });
      if (to === undefined) return;
      read(to);
      event.preventDefault();
    },
  });
  // Reserves its space before it is drawn.
  element.style.minHeight = `${height}px`;
  const show = (made) => {
    drawing = made;
    element.replaceChildren(made.svg);
    read(at);
  };
  return { element, reading, show };
}

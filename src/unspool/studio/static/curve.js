// Loss curves on a canvas: lines over steps, with the values under the pointer.

import { Sheet } from "./canvas.js";

// A contrast of at least 3 in the light and the dark theme.
const COLOURS = ["#3b82e0", "#d9720b", "#1b9e77", "#a968c4", "#d6493f", "#7a8598"];
const LEFT = 44,
  BOTTOM = 22,
  TOP = 8,
  RIGHT = 10;

export const colourOf = (number) => COLOURS[number % COLOURS.length];

/** lines: [{ name, colour, dashed, points: [[step, loss], ...] }] */
export class Curve {
  constructor(canvas, onPoint) {
    this.lines = [];
    this.log = false;
    this.at = null; // the step under the pointer
    this.sheet = new Sheet(canvas, (...args) => this.draw(...args));
    canvas.addEventListener("pointermove", ({ offsetX }) => this.point(offsetX, onPoint));
    canvas.addEventListener("pointerleave", () => this.point(null, onPoint));
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || !this.range) return;
      event.preventDefault();
      const [first, last] = this.range.steps;
      this.at = Math.min(last, Math.max(first, (this.at ?? last) + (by * (last - first)) / 60));
      this.sheet.redraw();
      onPoint(this.at, this.values());
    });
  }

  set(lines, log) {
    this.lines = lines.filter(({ points }) => points.length);
    this.log = log;
    this.sheet.redraw();
  }

  point(x, onPoint) {
    if (!this.range) return;
    const { steps, left, right } = this.range;
    this.at = x === null ? null : steps[0] + ((x - left) / (right - left)) * (steps[1] - steps[0]);
    this.sheet.redraw();
    onPoint(this.at, this.values());
  }

  /** Returns the last value of each line at or before the step under the pointer. */
  values() {
    if (this.at === null) return [];
    return this.lines.map((line) => ({
      ...line,
      value: line.points.findLast(([step]) => step <= this.at)?.[1],
    }));
  }

  draw(context, width, height) {
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, width, height);
    if (!this.lines.length) return;
    const ink = getComputedStyle(context.canvas).color;
    const all = this.lines.flatMap(({ points }) => points);
    const steps = extent(all.map(([step]) => step));
    const scale = this.log ? (v) => Math.log(Math.max(v, 1e-6)) : (v) => v;
    const [low, high] = extent(this.visible(all).map(([, loss]) => scale(loss)));
    const right = width - RIGHT,
      bottom = height - BOTTOM;
    this.range = { steps, left: LEFT, right };
    const x = (step) =>
      LEFT + ((step - steps[0]) / Math.max(1, steps[1] - steps[0])) * (right - LEFT);
    const y = (loss) =>
      bottom - ((scale(loss) - low) / Math.max(1e-9, high - low)) * (bottom - TOP);
    this.axes(context, {
      steps,
      low,
      high,
      x,
      y: (v) => y(this.log ? Math.exp(v) : v),
      right,
      bottom,
      ink,
    });
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, right - LEFT, bottom + 1);
    context.clip();
    for (const { colour, dashed, points } of this.lines) {
      context.strokeStyle = colour;
      context.lineWidth = dashed ? 1 : 2;
      context.globalAlpha = dashed ? 0.55 : 1;
      context.beginPath();
      for (const [step, loss] of points) context.lineTo(x(step), y(loss));
      context.stroke();
      if (points.length === 1) context.fillRect(x(points[0][0]) - 2, y(points[0][1]) - 2, 4, 4);
    }
    context.restore();
    if (this.at !== null) {
      context.strokeStyle = ink;
      context.globalAlpha = 0.4;
      context.strokeRect(x(this.at), TOP, 0, bottom - TOP);
      context.globalAlpha = 1;
    }
  }

  /** Leaves out the first few steps, whose loss would flatten everything after them. */
  visible(all) {
    const kept = all.filter(([step]) => step > all.at(-1)[0] / 50);
    return kept.length > 1 ? kept : all;
  }

  axes(context, { steps, low, high, x, y, right, bottom, ink }) {
    context.fillStyle = context.strokeStyle = ink;
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of ticks(low, high)) {
      context.globalAlpha = 0.12;
      context.strokeRect(LEFT, y(value), right - LEFT, 0);
      context.globalAlpha = 0.75;
      context.fillText((this.log ? Math.exp(value) : value).toPrecision(3), LEFT - 6, y(value));
    }
    context.textBaseline = "top";
    for (const step of ticks(...steps)) {
      context.textAlign = "center";
      context.fillText(step.toLocaleString("en"), x(step), bottom + 6);
    }
    context.globalAlpha = 1;
  }
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function ticks(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let value = Math.ceil(low / size) * size; value <= high; value += size)
    found.push(Number(value.toPrecision(12)));
  return found;
}

// @ts-check
// Loss curves on a canvas: lines over steps, with the values under the pointer.

import { extent, roundTicks } from "./axis.js";
import { clamp, Sheet } from "./canvas.js";

// A contrast of at least 3 in the light and the dark theme.
const COLOURS = ["#3b82e0", "#d9720b", "#1b9e77", "#a968c4", "#d6493f", "#7a8598"];
const [LEFT, BOTTOM, TOP, RIGHT] = [44, 22, 8, 10];

/** @typedef {[step: number, loss: number]} Point */
/** @typedef {{ name: string, colour: string, dashed?: boolean, points: Point[] }} CurveLine */
/** @typedef {CurveLine & { value?: number }} CurveValue */
/**
 * The step under the pointer, and the lines' values there.
 * @typedef {(step: number | null, values: CurveValue[]) => void} OnPoint
 */

/** @param {number} number */
export const colourOf = (number) => COLOURS[number % COLOURS.length];

/**
 * Returns the ranges of the axes: the steps, and the losses as they are scaled.
 * @param {CurveLine[]} lines
 * @param {boolean} log
 */
export function ranges(lines, log) {
  const all = lines.flatMap(({ points }) => points);
  /** @param {number} loss */
  const scale = (loss) => (log ? Math.log(Math.max(loss, 1e-6)) : loss);
  const steps = extent(all.map(([step]) => step));
  return { steps, losses: extent(withoutFirst(all).map(([, loss]) => scale(loss))), scale };
}

/**
 * Leaves out the first few steps, whose loss would flatten everything after them.
 * @param {Point[]} all
 */
function withoutFirst(all) {
  const last = all[all.length - 1][0];
  const kept = all.filter(([step]) => step > last / 50);
  return kept.length > 1 ? kept : all;
}

/**
 * Returns at most `most` points, each the mean of its neighbours.
 * @param {Point[]} points
 * @param {number} most
 * @returns {Point[]}
 */
export function thinned(points, most) {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points;
  /** @type {Point[]} */
  const made = [];
  for (let i = 0; i < points.length; i += size) {
    const part = points.slice(i, i + size);
    const mean = part.reduce((sum, [, loss]) => sum + loss, 0) / part.length;
    made.push([part[part.length - 1][0], mean]);
  }
  return made;
}

export class Curve {
  /** @param {HTMLCanvasElement} canvas  @param {OnPoint} onPoint */
  constructor(canvas, onPoint) {
    this.onPoint = onPoint;
    /** @type {CurveLine[]} */
    this.lines = [];
    this.log = false;
    /** The step under the pointer. @type {number | null} */
    this.at = null;
    /**
     * The steps from the left edge to the right one, once drawn.
     * @type {{ steps: number[], right: number } | null}
     */
    this.range = null;
    this.sheet = new Sheet(canvas, (context, width, height) => this.draw(context, width, height));
    canvas.addEventListener("pointermove", ({ offsetX }) => this.pointAt(offsetX));
    canvas.addEventListener("pointerleave", () => this.pointAt(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {CurveLine[]} lines
   * @param {boolean} log whether the losses are on a logarithmic scale
   */
  set(lines, log) {
    this.lines = lines.filter(({ points }) => points.length);
    this.log = log;
    this.sheet.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.range) return;
    event.preventDefault();
    const [first, last] = this.range.steps;
    this.show(clamp((this.at ?? last) + (by * (last - first)) / 60, first, last));
  }

  /** @param {number | null} px */
  pointAt(px) {
    if (!this.range) return;
    const { steps, right } = this.range;
    this.show(
      px === null ? null : steps[0] + ((px - LEFT) / (right - LEFT)) * (steps[1] - steps[0]),
    );
  }

  /** @param {number | null} step */
  show(step) {
    this.at = step;
    this.sheet.redraw();
    this.onPoint(step, step === null ? [] : this.values(step));
  }

  /**
   * Returns the last value of each line at or before a step.
   * @param {number} at
   * @returns {CurveValue[]}
   */
  values(at) {
    return this.lines.map((line) => ({
      ...line,
      value: line.points.findLast(([step]) => step <= at)?.[1],
    }));
  }

  /** @param {CanvasRenderingContext2D} context  @param {number} width  @param {number} height */
  draw(context, width, height) {
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, width, height);
    if (!this.lines.length) return;
    const { steps, losses, scale } = ranges(this.lines, this.log);
    const [right, bottom] = [width - RIGHT, height - BOTTOM];
    this.range = { steps, right };
    /** @param {number} step */
    const x = (step) =>
      LEFT + ((step - steps[0]) / Math.max(1, steps[1] - steps[0])) * (right - LEFT);
    /** @param {number} scaled */
    const y = (scaled) =>
      bottom - ((scaled - losses[0]) / Math.max(1e-9, losses[1] - losses[0])) * (bottom - TOP);
    const ink = getComputedStyle(context.canvas).color;
    this.drawAxes(context, { steps, losses, x, y, right, bottom, ink });
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, right - LEFT, bottom + 1);
    context.clip();
    for (const line of this.lines) drawLine(context, line, x, (loss) => y(scale(loss)));
    context.restore();
    if (this.at === null) return;
    context.strokeStyle = ink;
    context.globalAlpha = 0.4;
    context.strokeRect(x(this.at), TOP, 0, bottom - TOP);
    context.globalAlpha = 1;
  }

  /**
   * @typedef {object} Axes
   * @property {number[]} steps
   * @property {number[]} losses as they are scaled
   * @property {(step: number) => number} x
   * @property {(scaled: number) => number} y
   * @property {number} right
   * @property {number} bottom
   * @property {string} ink
   */

  /** @param {CanvasRenderingContext2D} context  @param {Axes} axes */
  drawAxes(context, { steps, losses, x, y, right, bottom, ink }) {
    context.fillStyle = context.strokeStyle = ink;
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of roundTicks(losses[0], losses[1])) {
      context.globalAlpha = 0.12;
      context.strokeRect(LEFT, y(value), right - LEFT, 0);
      context.globalAlpha = 0.75;
      context.fillText((this.log ? Math.exp(value) : value).toPrecision(3), LEFT - 6, y(value));
    }
    context.textBaseline = "top";
    context.textAlign = "center";
    for (const step of roundTicks(steps[0], steps[1])) {
      context.fillText(step.toLocaleString("en"), x(step), bottom + 6);
    }
    context.globalAlpha = 1;
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {CurveLine} line
 * @param {(step: number) => number} x
 * @param {(loss: number) => number} y
 */
function drawLine(context, { colour, dashed, points }, x, y) {
  context.strokeStyle = colour;
  context.lineWidth = dashed ? 1 : 2;
  context.globalAlpha = dashed ? 0.55 : 1;
  context.beginPath();
  for (const [step, loss] of points) context.lineTo(x(step), y(loss));
  context.stroke();
  if (points.length === 1) context.fillRect(x(points[0][0]) - 2, y(points[0][1]) - 2, 4, 4);
}

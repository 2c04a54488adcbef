// @ts-check
// Draws lines over time on a logarithmic scale, as SVG.

import { placeTicks, powerTicks } from "./axis.js";
import { clamp } from "./canvas.js";
import { minus } from "./formats.js";
import { svg } from "./svg.js";

export const MARGINS = { left: 58, right: 12, top: 12, bottom: 34 };

/**
 * Values above 0 are drawn; at others the line has a gap.
 * @typedef {{ values: (number | null)[], className: string }} Line
 */

/** @typedef {{ width: number, height: number }} Size */

/**
 * Returns where values are in a chart of this size; null if none can be drawn.
 * @param {Line[]} lines
 * @param {Size} size
 */
export function scales(lines, { width, height }) {
  const all = lines.flatMap(({ values }) => values).filter(isDrawn);
  if (!all.length) return null;
  const { left, right, top, bottom } = MARGINS;
  const [least, most] = [Math.log10(Math.min(...all)), Math.log10(Math.max(...all))];
  const low = Math.max(Math.floor(least), Math.ceil(most) - 24);
  const high = Math.max(Math.ceil(most), low + 1);
  const count = Math.max(...lines.map(({ values }) => values.length));
  const [across, down] = [width - left - right, height - top - bottom];
  return {
    low,
    high,
    count,
    /** @param {number} t */
    x: (t) => left + (count > 1 ? t / (count - 1) : 0.5) * across,
    /** @param {number} value */
    y: (value) => top + ((high - Math.max(low, Math.log10(value))) / (high - low)) * down,
    /** Returns the step at a pixel. @param {number} px */
    at: (px) => clamp(Math.round(((px - left) / across) * (count - 1)), 0, count - 1),
  };
}

/** @typedef {NonNullable<ReturnType<typeof scales>>} Scales */

/**
 * Renders the lines; `tick(t)` is written under the axis.
 * @param {SVGElement} element
 * @param {Line[]} lines
 * @param {Size & { tick: (t: number) => string, axis: string }} look
 */
export function renderChart(element, lines, { width, height, tick, axis }) {
  const found = scales(lines, { width, height });
  if (!found) {
    element.replaceChildren();
    return null;
  }
  const { x, y } = found;
  const { left, right, bottom } = MARGINS;
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element.setAttribute("width", String(width));
  element.setAttribute("height", String(height));
  element.replaceChildren(
    ...powerTicks(found.low, found.high).flatMap((power) => {
      const at = y(10 ** power);
      return [
        svg("line", { x1: left, x2: width - right, y1: at, y2: at, class: "grid" }),
        tenTo(power, left - 8, at + 4),
      ];
    }),
    ...placeTicks(found.count, Math.floor((width - left) / 70)).map((t) =>
      svg("text", { x: x(t), y: height - bottom + 16, class: "tick" }, tick(t)),
    ),
    svg("text", { x: (left + width - right) / 2, y: height - 3, class: "tick axis" }, axis),
    ...lines.map(({ values, className }) =>
      svg("path", { class: `line ${className}`, d: outline(values, found) }),
    ),
  );
  return found;
}

/** @param {number | null} value  @returns {value is number} */
const isDrawn = (value) => value !== null && value > 0 && Number.isFinite(value);

/**
 * Returns a path through the values, with a gap where one cannot be drawn.
 * @param {(number | null)[]} values
 * @param {Pick<Scales, "x" | "y">} scales
 */
export function outline(values, { x, y }) {
  let pen = "M";
  return values
    .map((value, t) => {
      if (!isDrawn(value)) {
        pen = "M";
        return "";
      }
      const part = `${pen}${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return part;
    })
    .join("");
}

/** @param {number} power  @param {number} x  @param {number} y */
function tenTo(power, x, y) {
  const raised = svg("tspan", { dy: -5, "font-size": "9" }, minus(String(power)));
  return svg("text", { x, y, class: "power" }, "10", raised);
}

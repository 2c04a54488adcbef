// Draws lines over time on a logarithmic scale, as SVG.

import { svg } from "./graph.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [58, 12, 12, 34];

/** Draws `lines`: [{name, values, className}], values above 0 or null; `steps` under the axis by `tick(index)`. */
export function renderChart(element, lines, { width, height, tick, axis }) {
  const all = lines
    .flatMap(({ values }) => values)
    .filter((value) => value > 0 && Number.isFinite(value));
  if (!all.length) return element.replaceChildren();
  const low = Math.max(
    Math.floor(Math.log10(Math.min(...all))),
    Math.ceil(Math.log10(Math.max(...all))) - 24,
  );
  const high = Math.max(Math.ceil(Math.log10(Math.max(...all))), low + 1);
  const count = Math.max(...lines.map(({ values }) => values.length));
  const x = (t) => LEFT + (count > 1 ? t / (count - 1) : 0.5) * (width - LEFT - RIGHT);
  const y = (value) =>
    TOP + ((high - Math.max(low, Math.log10(value))) / (high - low)) * (height - TOP - BOTTOM);
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element.setAttribute("width", width);
  element.setAttribute("height", height);
  element.replaceChildren(
    ...powers(low, high).flatMap((power) => [
      svg("line", {
        x1: LEFT,
        x2: width - RIGHT,
        y1: y(10 ** power),
        y2: y(10 ** power),
        class: "grid",
      }),
      tenTo(power, LEFT - 8, y(10 ** power) + 4),
    ]),
    ...ticks(count, Math.floor((width - LEFT) / 70)).map((t) =>
      svg("text", { x: x(t), y: height - BOTTOM + 16, class: "tick" }, tick(t)),
    ),
    svg("text", { x: (LEFT + width - RIGHT) / 2, y: height - 3, class: "tick axis" }, axis),
    ...lines.map(({ values, className }) =>
      svg("path", { class: `line ${className}`, d: outline(values, x, y) }),
    ),
  );
  return {
    x,
    y,
    at: (px) =>
      Math.max(
        0,
        Math.min(count - 1, Math.round(((px - LEFT) / (width - LEFT - RIGHT)) * (count - 1))),
      ),
  };
}

function outline(values, x, y) {
  let pen = "M";
  return values
    .map((value, t) => {
      if (!(value > 0) || !Number.isFinite(value)) {
        pen = "M";
        return "";
      }
      const part = `${pen}${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return part;
    })
    .join("");
}

function powers(low, high) {
  const step = Math.ceil((high - low) / 8);
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => high - i * step);
}

function ticks(count, most) {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => count / step <= most) ?? 2000;
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => count - 1 - i * step); // from the end
}

function tenTo(power, x, y) {
  const raised = svg("tspan", { dy: -5, "font-size": "9" }, String(power).replace("-", "\u2212"));
  return svg("text", { x, y, class: "power" }, "10", raised);
}

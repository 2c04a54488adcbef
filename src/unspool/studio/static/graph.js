// @ts-check
// The unrolled computation graph as SVG: a column per time step, from the input at the bottom to
// the loss at the top.

import { css } from "./colours.js";
import { number, visible } from "./formats.js";
import { toShade } from "./quantities.js";
import { svg } from "./svg.js";

/** @typedef {import("./sums.js").Lesson} Lesson */
/** @typedef {import("./sums.js").Step} Step */
/** @typedef {ReturnType<typeof plan>} Plan */

const [BOX, ROW] = [38, 20]; // a box's width and height
const [GAP, ARROW] = [30, 46]; // room for arrows upwards and to the right

/**
 * Returns where everything is, in pixels.
 * @param {Pick<Lesson, "vocabulary" | "hidden_size" | "parts" | "steps">} lesson
 */
export function plan({ vocabulary, hidden_size, parts, steps }) {
  const [V, H] = [vocabulary.length, hidden_size];
  const inner = Math.max(parts.length, 2.6) * BOX;
  const column = inner + ARROW;
  const scores = 74;
  const hidden = scores + V * ROW + GAP + 14;
  const input = hidden + H * ROW + GAP + (parts.length > 1 ? 14 : 0);
  const char = input + V * ROW + 22;
  const y = { loss: 16, target: 38, scores, hidden, input, char };
  return { V, H, parts, inner, column, y, height: char + 12, width: steps.length * column + ARROW };
}

/**
 * @typedef {object} Shown
 * @property {number} step later ones are pale
 * @property {number} unit it is marked
 * @property {boolean} gradients whether their arrows are shown
 * @property {(step: number, unit?: number) => void} onPick a step, or a unit of it
 */

/** Renders all steps. @param {SVGElement} element  @param {Lesson} lesson  @param {Shown} shown */
export function render(element, lesson, { step, unit, gradients, onPick }) {
  const at = plan(lesson);
  element.setAttribute("width", String(at.width));
  element.setAttribute("height", String(at.height));
  element.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`);
  element.replaceChildren(heads());
  const largest = Math.max(...lesson.steps.map((one) => one.gradient), 1e-12);
  for (const [t, one] of lesson.steps.entries()) {
    const x = ARROW + t * at.column;
    const column = svg("g", { class: t === step ? "step now" : t > step ? "step later" : "step" });
    column.addEventListener("click", () => onPick(t));
    const back = svg("rect", {
      class: "step-back",
      x: x - 10,
      y: 0,
      width: at.inner + 20,
      height: at.height,
      rx: 6,
    });
    column.append(
      back,
      ...top(lesson, one, x, at),
      ...middle(one, x, at),
      ...bottom(lesson, one, x, at),
    );
    column.append(...arrows(t, x, at));
    if (gradients) column.append(...gradientArrow(t, x, at, one.gradient, one.gradient / largest));
    /** @type {NodeListOf<SVGGElement>} */
    const units = column.querySelectorAll("[data-unit]");
    for (const box of units) {
      const mine = Number(box.dataset.unit);
      if (t === step && mine === unit) box.classList.add("chosen");
      box.addEventListener("click", (event) => {
        event.stopPropagation();
        onPick(t, mine);
      });
    }
    element.append(column);
  }
}

/**
 * Renders the names of the rows, for a strip that stays while the steps scroll.
 * @param {SVGElement} element
 * @param {Lesson} lesson
 */
export function renderLabels(element, lesson) {
  const at = plan(lesson);
  const width = 84;
  element.setAttribute("width", String(width));
  element.setAttribute("height", String(at.height));
  /** @param {number} y  @param {string} text */
  const label = (y, text) => svg("text", { x: width - 8, y, class: "row-name" }, text);
  /** @param {number} from  @param {number} rows */
  const mid = (from, rows) => from + (rows * ROW) / 2 + 4;
  element.replaceChildren(
    label(at.y.loss, "loss, nats"),
    label(at.y.target, "target"),
    label(mid(at.y.scores, at.V) - 8, "scores y"),
    label(mid(at.y.scores, at.V) + 8, "softmax p"),
    label(mid(at.y.hidden, at.H), at.parts.length > 1 ? "gates, state" : "hidden h"),
    label(mid(at.y.input, at.V), "input x"),
    label(at.y.char, "token"),
  );
}

function heads() {
  const id = "arrow-head";
  const path = svg("path", { d: "M0 0 L8 4 L0 8 z", class: id });
  const size = { viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7 };
  return svg(
    "defs",
    {},
    svg("marker", { id, ...size, orient: "auto", markerUnits: "userSpaceOnUse" }, path),
  );
}

/**
 * Renders a number in a coloured box.
 * @param {number} x
 * @param {number} y
 * @param {number} value
 * @param {{ width?: number, name?: string, colour?: number, text?: string, unit?: number }} look
 */
function box(
  x,
  y,
  value,
  { width = BOX, name = "", colour = value, text = number(value), unit } = {},
) {
  const group = svg("g", { class: `box ${name}` });
  if (unit !== undefined) group.dataset.unit = String(unit);
  const rect = svg("rect", { x, y, width: width - 2, height: ROW - 2, rx: 3 });
  rect.style.fill = css(colour);
  group.append(rect, svg("text", { x: x + width / 2 - 1, y: y + ROW - 6 }, text));
  return group;
}

/**
 * Renders scores, softmax, target and loss.
 * @param {Lesson} lesson
 * @param {Step} one
 * @param {number} x
 * @param {Plan} at
 */
function top(lesson, one, x, at) {
  const centre = x + at.inner / 2;
  const left = centre - 1.3 * BOX;
  const widest = Math.max(...lesson.steps.flatMap(({ scores }) => scores.map(Math.abs)), 1);
  /** @type {SVGElement[]} */
  const parts = [
    svg("text", { x: centre, y: at.y.loss, class: "loss" }, number(one.nats)),
    svg("text", { x: centre, y: at.y.target, class: "token" }, visible(one.target)),
  ];
  for (const [v, token] of lesson.vocabulary.entries()) {
    const y = at.y.scores + v * ROW;
    const right = token === one.target;
    parts.push(svg("text", { x: left - 4, y: y + ROW - 6, class: "letter" }, visible(token)));
    parts.push(box(left, y, one.scores[v], { colour: one.scores[v] / widest }));
    parts.push(
      box(left + BOX + 2, y, one.probabilities[v], {
        width: BOX * 1.5,
        name: right ? "right" : "",
      }),
    );
  }
  return parts;
}

/**
 * Renders gates and state: a column of boxes for each.
 * @param {Step} one
 * @param {number} x
 * @param {Plan} at
 */
function middle(one, x, at) {
  const left = x + (at.inner - at.parts.length * BOX) / 2;
  return at.parts.flatMap(({ name, range }, i) => {
    const boxes = one.state[name].map((value, unit) => {
      const colour = toShade(value, range);
      return box(left + i * BOX, at.y.hidden + unit * ROW, value, {
        unit,
        colour,
        name: name === "h" ? "h" : "",
      });
    });
    if (at.parts.length === 1) return boxes;
    return [
      svg("text", { x: left + (i + 0.5) * BOX - 1, y: at.y.hidden - 4, class: "part" }, name),
      ...boxes,
    ];
  });
}

/**
 * Renders the input as a one-hot vector.
 * @param {Lesson} lesson
 * @param {Step} one
 * @param {number} x
 * @param {Plan} at
 */
function bottom(lesson, one, x, at) {
  const left = x + at.inner / 2 - BOX / 2;
  const boxes = lesson.vocabulary.flatMap((token, v) => {
    const on = token === one.input ? 1 : 0;
    const y = at.y.input + v * ROW;
    return [
      svg("text", { x: left - 4, y: y + ROW - 6, class: "letter" }, visible(token)),
      box(left, y, on, { text: String(on), colour: on / 2 }),
    ];
  });
  return [
    ...boxes,
    svg("text", { x: left + BOX / 2, y: at.y.char, class: "token" }, visible(one.input)),
  ];
}

/**
 * Returns where the arrow into a step's state begins and ends.
 * @param {number} t
 * @param {number} x
 * @param {Plan} at
 */
function arrowIn(t, x, at) {
  const half = (at.parts.length * BOX) / 2;
  const to = x + at.inner / 2 - half;
  const from = t ? x - ARROW - (at.inner - 2 * half) / 2 : x - ARROW + 8;
  return { from, to, y: at.y.hidden + (at.H * ROW) / 2 };
}

/** @param {number} t  @param {number} x  @param {Plan} at */
function arrows(t, x, at) {
  const centre = x + at.inner / 2;
  const top = at.y.hidden - (at.parts.length > 1 ? 16 : 2);
  const { from, to, y: middle } = arrowIn(t, x, at);
  /** @param {string} name  @param {string} d  @param {number} x  @param {number} y */
  const arrow = (name, d, x, y) => [
    svg("path", { d, class: `arrow ${name}`, "marker-end": "url(#arrow-head)" }),
    svg(
      "text",
      { x, y, class: `weight ${name}` },
      "W",
      svg("tspan", { dy: 3, "font-size": 8 }, name),
    ),
  ];
  return [
    ...arrow(
      "xh",
      `M${centre} ${at.y.input - 3}V${at.y.hidden + at.H * ROW + 1}`,
      centre + 6,
      at.y.input - 11,
    ),
    ...arrow("hy", `M${centre} ${top}V${at.y.scores + at.V * ROW + 1}`, centre + 6, top - 9),
    ...arrow("hh", `M${from} ${middle}H${to - 2}`, (from + to) / 2, middle - 6),
  ];
}

/**
 * Renders the gradient, which goes back along the arrow of the state: its width shows its size.
 * @param {number} t
 * @param {number} x
 * @param {Plan} at
 * @param {number} gradient
 * @param {number} share of the largest
 */
function gradientArrow(t, x, at, gradient, share) {
  const { from, to, y: middle } = arrowIn(t, x, at);
  const y = middle + 12;
  const line = {
    d: `M${to - 2} ${y}H${from + 8}`,
    "stroke-width": 1 + 7 * share,
    opacity: 0.35 + 0.65 * share,
  };
  const [low, high] = [y - 5 - 3 * share, y + 5 + 3 * share];
  const text = gradient < 0.005 ? gradient.toExponential(0) : number(gradient);
  return [
    svg("path", { class: "gradient", ...line }),
    svg("path", {
      d: `M${from + 9} ${low}L${from} ${y}L${from + 9} ${high}z`,
      class: "gradient-head",
    }),
    svg("text", { x: (from + to) / 2, y: y + 17, class: "gradient-size" }, text),
  ];
}

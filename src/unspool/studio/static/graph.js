// The unrolled computation graph as SVG: a column per time step, from the input at the bottom to the loss at the top.

import { css } from "./colours.js";

const [BOX, ROW, GAP, ARROW] = [38, 20, 30, 46]; // a box's width and height; room for arrows upwards and to the right
export const QUANTITIES = {
  rnn: ["h"],
  gru: ["r", "z", "n", "h"],
  lstm: ["i", "f", "g", "o", "c", "h"],
};

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const number = (value) => {
  const text =
    Math.abs(value) >= 99.95
      ? value.toFixed(0)
      : Math.abs(value) >= 9.995
        ? value.toFixed(1)
        : value.toFixed(2);
  return text.replace("-", "\u2212");
};

export const shown = (token) => ({ " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" })[token] ?? token;

/** Returns where everything is, in pixels. */
export function plan({ vocabulary, hidden_size, cell, steps }) {
  const [V, H, parts] = [vocabulary.length, hidden_size, QUANTITIES[cell]];
  const inner = Math.max(parts.length, 2.6) * BOX;
  const y = { loss: 16, target: 38 };
  y.scores = 74;
  y.hidden = y.scores + V * ROW + GAP + 14;
  y.input = y.hidden + H * ROW + GAP + (parts.length > 1 ? 14 : 0);
  y.char = y.input + V * ROW + 22;
  return {
    V,
    H,
    parts,
    inner,
    column: inner + ARROW,
    y,
    height: y.char + 12,
    width: steps.length * (inner + ARROW) + ARROW,
  };
}

/** Renders all steps; later ones than `step` are pale. `unit` is marked; a click calls `onUnit(step, unit)`. */
export function render(element, lesson, { step, unit, gradients, onStep, onUnit }) {
  const at = plan(lesson);
  element.setAttribute("width", at.width);
  element.setAttribute("height", at.height);
  element.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`);
  element.replaceChildren(heads());
  const largest = Math.max(...lesson.steps.map((one) => one.gradient), 1e-12);
  lesson.steps.forEach((one, t) => {
    const x = ARROW + t * at.column;
    const column = svg("g", { class: t === step ? "step now" : t > step ? "step later" : "step" });
    column.addEventListener("click", () => onStep(t));
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
      ...middle(lesson, one, t, x, at),
      ...bottom(lesson, one, x, at),
    );
    column.append(...arrows(lesson, t, x, at, gradients && one.gradient / largest, one.gradient));
    column.querySelectorAll("[data-unit]").forEach((box) => {
      if (t === step && Number(box.dataset.unit) === unit) box.classList.add("chosen");
      box.addEventListener("click", (event) => {
        event.stopPropagation();
        onUnit(t, Number(box.dataset.unit));
      });
    });
    element.append(column);
  });
}

/** Renders the names of the rows, for a strip that stays while the steps scroll. */
export function renderLabels(element, lesson) {
  const at = plan(lesson);
  const width = 84;
  element.setAttribute("width", width);
  element.setAttribute("height", at.height);
  const label = (y, text, name = "row-name") => svg("text", { x: width - 8, y, class: name }, text);
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
  const head = (id) =>
    svg(
      "marker",
      {
        id,
        viewBox: "0 0 8 8",
        refX: 7,
        refY: 4,
        markerWidth: 7,
        markerHeight: 7,
        orient: "auto",
        markerUnits: "userSpaceOnUse",
      },
      svg("path", { d: "M0 0 L8 4 L0 8 z", class: id }),
    );
  return svg("defs", {}, head("arrow-head"));
}

function box(
  x,
  y,
  value,
  { width = BOX, name = "", colour = value, text = number(value), unit } = {},
) {
  const group = svg("g", { class: `box ${name}` });
  if (unit !== undefined) group.dataset.unit = unit;
  const rect = svg("rect", { x, y, width: width - 2, height: ROW - 2, rx: 3 });
  rect.style.fill = css(colour);
  group.append(rect, svg("text", { x: x + width / 2 - 1, y: y + ROW - 6 }, text));
  return group;
}

/** Renders scores, softmax, target and loss. */
function top(lesson, one, x, at) {
  const centre = x + at.inner / 2;
  const left = centre - 1.3 * BOX;
  const widest = Math.max(...lesson.steps.flatMap(({ scores }) => scores.map(Math.abs)), 1);
  const parts = [
    svg("text", { x: centre, y: at.y.loss, class: "loss" }, number(one.nats)),
    svg("text", { x: centre, y: at.y.target, class: "token" }, shown(one.target)),
  ];
  lesson.vocabulary.forEach((token, v) => {
    const y = at.y.scores + v * ROW;
    const right = token === one.target;
    parts.push(svg("text", { x: left - 4, y: y + ROW - 6, class: "letter" }, shown(token)));
    parts.push(box(left, y, one.scores[v], { colour: one.scores[v] / widest }));
    parts.push(
      box(left + BOX + 2, y, one.probabilities[v], {
        width: BOX * 1.5,
        name: right ? "right" : "",
      }),
    );
  });
  return parts;
}

/** Renders gates and state: a column of boxes for each. */
function middle(lesson, one, t, x, at) {
  const left = x + (at.inner - at.parts.length * BOX) / 2;
  return at.parts.flatMap((name, i) => {
    const boxes = one.state[name].map((value, unit) => {
      const colour = "ifozr".includes(name) ? 2 * value - 1 : value;
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

/** Renders the input as a one-hot vector. */
function bottom(lesson, one, x, at) {
  const left = x + at.inner / 2 - BOX / 2;
  const boxes = lesson.vocabulary.flatMap((token, v) => {
    const on = token === one.input ? 1 : 0;
    const y = at.y.input + v * ROW;
    return [
      svg("text", { x: left - 4, y: y + ROW - 6, class: "letter" }, shown(token)),
      box(left, y, on, { text: String(on), colour: on / 2 }),
    ];
  });
  return [
    ...boxes,
    svg("text", { x: left + BOX / 2, y: at.y.char, class: "token" }, shown(one.input)),
  ];
}

function arrows(lesson, t, x, at, share, gradient) {
  const centre = x + at.inner / 2;
  const half = (at.parts.length * BOX) / 2;
  const hidden = {
    top: at.y.hidden - (at.parts.length > 1 ? 16 : 2),
    middle: at.y.hidden + (at.H * ROW) / 2,
  };
  const path = (name, d, label, x, y) => [
    svg("path", { d, class: `arrow ${name}`, "marker-end": "url(#arrow-head)" }),
    svg(
      "text",
      { x, y, class: `weight ${name}` },
      "W",
      svg("tspan", { dy: 3, "font-size": 8 }, label),
    ),
  ];
  const from = t ? x - ARROW - (at.inner - 2 * half) / 2 : x - ARROW + 8;
  const made = [
    ...path(
      "xh",
      `M${centre} ${at.y.input - 3}V${at.y.hidden + at.H * ROW + 1}`,
      "xh",
      centre + 6,
      at.y.input - 11,
    ),
    ...path(
      "hy",
      `M${centre} ${hidden.top}V${at.y.scores + at.V * ROW + 1}`,
      "hy",
      centre + 6,
      hidden.top - 9,
    ),
    ...path(
      "hh",
      `M${from} ${hidden.middle}H${centre - half - 2}`,
      "hh",
      (from + centre - half) / 2,
      hidden.middle - 6,
    ),
  ];
  if (share === false) return made;
  // The gradient goes back along the same arrow, whose width shows its size.
  const y = hidden.middle + 12;
  made.push(
    svg("path", {
      d: `M${centre - half - 2} ${y}H${from + 8}`,
      class: "gradient",
      "stroke-width": 1 + 7 * share,
      opacity: 0.35 + 0.65 * share,
    }),
    svg("path", {
      d: `M${from + 9} ${y - 5 - 3 * share}L${from} ${y}L${from + 9} ${y + 5 + 3 * share}z`,
      class: "gradient-head",
    }),
    svg(
      "text",
      { x: (from + centre - half) / 2, y: y + 17, class: "gradient-size" },
      gradient < 0.005 ? gradient.toExponential(0) : number(gradient),
    ),
  );
  return made;
}

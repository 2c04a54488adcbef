// @ts-check
// The elements of the Unrolled view: its controls, the chosen step as sums, the weights;
// unrolled.js has their behaviour.

import { css } from "../colours.js";
import { el, options, tableHead } from "../elements.js";
import { number, quoted, visible } from "../formats.js";
import { unitSums } from "../sums.js";
import { svg } from "../svg.js";

/** @typedef {import("../sums.js").Lesson} Lesson */
/** @typedef {ReturnType<typeof build>} Page */

/**
 * What is chosen at first.
 * @typedef {{ text: string, cell: string, hidden_size: number, trained: number }} First
 */

/**
 * @param {HTMLElement} element
 * @param {First} first
 * @param {[string, string][]} cells names and what they are called
 */
export function build(element, first, cells) {
  const [network, steps, graph] = [networkControls(first, cells), stepControls(), graphBox()];
  const message = el("div", { role: "status" });
  const told = el("div", { ariaLive: "polite" });
  const weights = el("div", { className: "weights" });
  const lead = el(
    "p",
    { className: "lead" },
    "A recurrent network is one function, used again at every step with the same weights. ",
    "This one learns to spell a word: from each character it has to predict the next.",
  );
  element.replaceChildren(
    el("h1", {}, "Unrolled"),
    lead,
    network.box,
    message,
    steps.box,
    graph.box,
    told,
    el("h2", {}, "The weights, the same at every step"),
    weights,
  );
  return { message, told, weights, ...network.parts, ...steps.parts, ...graph.parts };
}

/** @param {First} first  @param {[string, string][]} cells */
function networkControls(first, cells) {
  const text = el("input", {
    type: "text",
    value: first.text,
    maxLength: 13,
    size: 13,
    spellcheck: false,
  });
  const cell = el("select", {}, ...options(cells, first.cell));
  /** @type {[number, string][]} */
  const sizes = [2, 3, 4, 5, 6].map((n) => [n, String(n)]);
  const hidden = el("select", {}, ...options(sizes, first.hidden_size));
  const gradients = el("input", { type: "checkbox" });
  const trained = el("input", { type: "range", min: 0, max: 300, step: 5, value: first.trained });
  const trainedText = el("output");
  const made = el(
    "div",
    { className: "controls" },
    el("label", {}, "text ", text),
    el("label", {}, "cell ", cell),
    el("label", {}, "units ", hidden),
    el("label", { className: "check" }, gradients, " gradients"),
    el("label", { className: "wide" }, "training ", trained, trainedText),
  );
  return { box: made, parts: { text, cell, hidden, gradients, trained, trainedText } };
}

function stepControls() {
  const step = el("input", { type: "range", min: 1, max: 4, value: 1, ariaLabel: "step" });
  const stepText = el("output");
  const [back, forward] = [button("\u2190", "step back"), button("\u2192", "step forward")];
  const label = el("label", { className: "wide" }, step, stepText);
  return {
    box: el("div", { className: "controls" }, back, forward, label),
    parts: { step, stepText, back, forward },
  };
}

function graphBox() {
  const told = "The unrolled network; the numbers of the chosen step are below as text";
  const graph = svg("svg", { class: "graph", role: "img", "aria-label": told });
  const labels = svg("svg", { class: "graph graph-labels", "aria-hidden": "true" });
  const ariaLabel = "Steps of the network: arrow keys move";
  const scroller = el("div", { className: "graph-scroll", tabIndex: 0, ariaLabel }, graph);
  return {
    box: el("div", { className: "graph-box" }, labels, scroller),
    parts: { graph, labels, scroller },
  };
}

/** @param {string} sign  @param {string} label */
const button = (sign, label) =>
  el("button", { type: "button", ariaLabel: label, title: label }, sign);

/** @param {string} token */
const sign = (token) => quoted(visible(token));

/**
 * Shows the chosen step of the chosen unit, as sums.
 * @param {Lesson} lesson
 * @param {{ step: number, unit: number, gradients: boolean }} at
 * @param {(unit: number) => void} onUnit
 */
export function stepInNumbers(lesson, { step, unit, gradients }, onUnit) {
  const one = lesson.steps[step];
  const units = el(
    "div",
    { className: "units", role: "group", ariaLabel: "unit" },
    ...Array.from({ length: lesson.hidden_size }, (_, i) =>
      el(
        "button",
        { type: "button", ariaPressed: String(i === unit), onclick: () => onUnit(i) },
        `unit ${i + 1}`,
      ),
    ),
  );
  const { rows, last } = unitSums(lesson, step, unit);
  const table = el(
    "table",
    { className: "sums" },
    tableHead(["", "from the input", "from the state before", "bias", "sum", "becomes"]),
    el(
      "tbody",
      {},
      ...rows.map(({ name, parts, made }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, name),
          ...parts.map((value) => el("td", {}, number(value))),
          el("td", {}, made),
        ),
      ),
    ),
  );
  const best = one.probabilities.indexOf(Math.max(...one.probabilities));
  const right = one.probabilities[lesson.vocabulary.indexOf(one.target)];
  return [
    el("h2", {}, `Step ${step + 1}: reads ${sign(one.input)}, has to predict ${sign(one.target)}`),
    units,
    ...(rows.length ? [el("div", { className: "scroll-x" }, table)] : []),
    ...last.map((line) => el("p", { className: "formula" }, line)),
    el(
      "p",
      {},
      `It gives the correct character, ${sign(one.target)}, a probability of ${number(right)}: `,
      `a loss of \u2212ln ${number(right)} = ${number(one.nats)} nats. `,
      `Its best guess is ${sign(lesson.vocabulary[best])}.`,
    ),
    ...(gradients
      ? [
          el(
            "p",
            {},
            `|dL/dh| at this step is ${one.gradient.toPrecision(3)}: `,
            "how much the summed loss would change with this state.",
          ),
        ]
      : []),
  ];
}

/** @param {Lesson} lesson */
export function weightTables({ weights, vocabulary, gates, hidden_size }) {
  /** @param {string} name */
  const units = (name) => Array.from({ length: hidden_size }, (_, i) => `${name}${i + 1}`);
  const [rows, tokens] = [gates.flatMap(units), vocabulary.map(visible)];
  const { w_ih, w_hh, w_out } = weights;
  return [
    ...(w_ih ? [weightTable("W_xh", "input to hidden", w_ih, rows, tokens)] : []),
    ...(w_hh ? [weightTable("W_hh", "hidden to hidden", w_hh, rows, units("h"))] : []),
    weightTable("W_hy", "hidden to scores", w_out, tokens, units("h")),
  ];
}

/**
 * @param {string} name
 * @param {string} what
 * @param {number[][]} values
 * @param {string[]} rows
 * @param {string[]} columns
 */
function weightTable(name, what, values, rows, columns) {
  const widest = Math.max(...values.flat().map(Math.abs), 1e-9);
  /** @param {number} value */
  const cellOf = (value) => {
    const made = el("td", {}, number(value));
    made.style.background = css(value / widest);
    return made;
  };
  return el(
    "div",
    { className: "scroll-x" },
    el(
      "table",
      { className: "matrix" },
      el("caption", {}, el("b", {}, name), ` ${what}`),
      el(
        "thead",
        {},
        el("tr", {}, el("td"), ...columns.map((column) => el("th", { scope: "col" }, column))),
      ),
      el(
        "tbody",
        {},
        ...values.map((row, i) =>
          el("tr", {}, el("th", { scope: "row" }, rows[i]), ...row.map(cellOf)),
        ),
      ),
    ),
  );
}

// Unrolled: a tiny network learns a word; its computation graph, step by step, with every number.

import { api, el, failure } from "../calls.js";
import { css, onTheme } from "../colours.js";
import { render, renderLabels, number, plan, shown, svg } from "../graph.js";
import { unitSums } from "../sums.js";

const CELLS = { rnn: "RNN", lstm: "LSTM", gru: "GRU" };

export async function show(element) {
  const at = {
    text: "hello",
    cell: "rnn",
    hidden_size: 3,
    trained: 300,
    step: 0,
    unit: 0,
    gradients: false,
  };
  const page = build(element, at);
  let lesson = null;
  let asked = 0;

  async function load() {
    const mine = ++asked;
    const query = new URLSearchParams({
      text: at.text,
      cell: at.cell,
      hidden_size: at.hidden_size,
      trained: at.trained,
    });
    try {
      const made = await api(`/api/unrolled?${query}`);
      if (mine !== asked) return;
      lesson = made;
      page.message.replaceChildren();
      at.step = Math.min(at.step, lesson.steps.length - 1);
      at.unit = Math.min(at.unit, lesson.hidden_size - 1);
      page.step.max = lesson.steps.length;
      redraw();
    } catch (error) {
      if (mine === asked) page.message.replaceChildren(failure(error));
    }
  }

  function redraw() {
    if (!lesson) return;
    render(page.graph, lesson, { ...at, onStep: go, onUnit: (step, unit) => go(step, unit) });
    renderLabels(page.labels, lesson);
    page.step.value = at.step + 1;
    page.stepText.textContent = `step ${at.step + 1} of ${lesson.steps.length}`;
    const sum = lesson.steps.reduce((total, one) => total + one.nats, 0);
    page.trainedText.textContent = `after ${at.trained} steps of training: loss ${number(sum)} nats in all`;
    page.told.replaceChildren(...tell(lesson, at, (unit) => go(at.step, unit)));
    page.weights.replaceChildren(...weights(lesson));
  }

  function go(step, unit = at.unit) {
    at.step = Math.max(0, Math.min(lesson.steps.length - 1, step));
    at.unit = Math.max(0, Math.min(lesson.hidden_size - 1, unit));
    redraw();
    const { column } = plan(lesson);
    const smooth = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    const left = at.step * column - (page.scroller.clientWidth - column) / 2;
    page.scroller.scrollTo({ left, behavior: smooth });
  }

  page.listen({ load, redraw, go });
  const stopTheme = onTheme(redraw);
  await load();
  return () => {
    asked = -1;
    stopTheme();
  };
}

function build(element, at) {
  const text = el("input", {
    type: "text",
    value: at.text,
    maxLength: 13,
    size: 13,
    spellcheck: false,
  });
  const cell = el(
    "select",
    {},
    ...Object.entries(CELLS).map(([value, name]) => el("option", { value }, name)),
  );
  const hidden = el(
    "select",
    {},
    ...[2, 3, 4, 5, 6].map((n) => el("option", { value: n, selected: n === 3 }, String(n))),
  );
  const trained = el("input", { type: "range", min: 0, max: 300, step: 5, value: at.trained });
  const gradients = el("input", { type: "checkbox" });
  const step = el("input", { type: "range", min: 1, max: 4, value: 1, ariaLabel: "step" });
  const [back, forward] = [
    ["\u2190", "step back"],
    ["\u2192", "step forward"],
  ].map(([sign, label]) => el("button", { type: "button", ariaLabel: label, title: label }, sign));
  const [stepText, trainedText] = [el("output", {}), el("output", {})];
  const [graph, labels] = [
    svg("svg", { class: "graph", role: "img" }),
    svg("svg", { class: "graph graph-labels", "aria-hidden": "true" }),
  ];
  graph.setAttribute(
    "aria-label",
    "The unrolled network; the numbers of the chosen step are below as text",
  );
  const scroller = el(
    "div",
    { className: "graph-scroll", tabIndex: 0, ariaLabel: "Steps of the network: arrow keys move" },
    graph,
  );
  const [message, told, weightsBox] = [
    el("div", { role: "status" }),
    el("div", {}),
    el("div", { className: "weights" }),
  ];
  told.setAttribute("aria-live", "polite");
  element.replaceChildren(
    el("h1", {}, "Unrolled"),
    el(
      "p",
      { className: "lead" },
      "A recurrent network is one function, used again at every step with the same weights. ",
      "This one learns to spell a word: from each character it has to predict the next.",
    ),
    el(
      "div",
      { className: "controls" },
      el("label", {}, "text ", text),
      el("label", {}, "cell ", cell),
      el("label", {}, "units ", hidden),
      el("label", { className: "check" }, gradients, " gradients"),
      el("label", { className: "wide" }, "training ", trained, trainedText),
    ),
    message,
    el(
      "div",
      { className: "controls" },
      back,
      forward,
      el("label", { className: "wide" }, step, stepText),
    ),
    el("div", { className: "graph-box" }, labels, scroller),
    told,
    el("h2", {}, "The weights, the same at every step"),
    weightsBox,
  );
  function listen({ load, redraw, go }) {
    const set = (name, input, value, then) =>
      input.addEventListener("input", () => {
        at[name] = value(input);
        then();
      });
    set("text", text, (input) => input.value, load);
    set("cell", cell, (input) => input.value, load);
    set("hidden_size", hidden, (input) => Number(input.value), load);
    set("trained", trained, (input) => Number(input.value), load);
    set("gradients", gradients, (input) => input.checked, redraw);
    step.addEventListener("input", () => go(Number(step.value) - 1));
    back.addEventListener("click", () => go(at.step - 1));
    forward.addEventListener("click", () => go(at.step + 1));
    scroller.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: [at.step - 1],
        ArrowRight: [at.step + 1],
        Home: [0],
        End: [1000],
        ArrowUp: [at.step, at.unit - 1],
        ArrowDown: [at.step, at.unit + 1],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      go(...to);
    });
  }
  return {
    graph,
    labels,
    scroller,
    message,
    told,
    step,
    stepText,
    trainedText,
    weights: weightsBox,
    listen,
  };
}

/** Shows the chosen step of the chosen unit, as sums. */
function tell(lesson, { step, unit, gradients }, onUnit) {
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
  const head = ["", "from the input", "from the state before", "bias", "sum", "becomes"];
  const table = el(
    "table",
    { className: "sums" },
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))),
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
    el(
      "h2",
      {},
      `Step ${step + 1}: reads \u201c${shown(one.input)}\u201d, has to predict \u201c${shown(one.target)}\u201d`,
    ),
    units,
    el("div", { className: "scroll-x" }, table),
    ...last.map((line) => el("p", { className: "formula" }, line)),
    el(
      "p",
      {},
      `It gives the correct character, \u201c${shown(one.target)}\u201d, a probability of ${number(right)}: `,
      `a loss of \u2212ln ${number(right)} = ${number(one.nats)} nats. Its best guess is \u201c${shown(lesson.vocabulary[best])}\u201d.`,
    ),
    ...(gradients
      ? [
          el(
            "p",
            {},
            `|dL/dh| at this step is ${one.gradient.toPrecision(3)}: how much the summed loss would change with this state.`,
          ),
        ]
      : []),
  ];
}

function weights({ weights, vocabulary, cell, hidden_size }) {
  const gates = { rnn: ["h"], lstm: ["i", "f", "g", "o"], gru: ["r", "z", "n"] }[cell];
  const rows = gates.flatMap((gate) =>
    Array.from({ length: hidden_size }, (_, i) => `${gate}${i + 1}`),
  );
  const units = Array.from({ length: hidden_size }, (_, i) => `h${i + 1}`);
  return [
    matrix("W_xh", "input to hidden", weights.w_ih, rows, vocabulary.map(shown)),
    matrix("W_hh", "hidden to hidden", weights.w_hh, rows, units),
    matrix("W_hy", "hidden to scores", weights.w_out, vocabulary.map(shown), units),
  ];
}

function matrix(name, what, values, rows, columns) {
  const widest = Math.max(...values.flat().map(Math.abs), 1e-9);
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
        el("tr", {}, el("td", {}), ...columns.map((column) => el("th", { scope: "col" }, column))),
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

// @ts-check
// Gradients: how much of the gradient of a token's loss reaches each state before it.

import { Asking } from "../asking.js";
import { api } from "../calls.js";
import { clamp, place } from "../canvas.js";
import { MARGINS, renderChart } from "../chart.js";
import { el, empty, tableHead } from "../elements.js";
import { minus } from "../formats.js";
import { svg } from "../svg.js";

/**
 * Norms of the gradient from the loss back; `kind` is "run" or "cell-" and the colour's number
 * for an untrained network.
 * @typedef {{ name: string, kind: string, norms: (number | null)[], factor: number | null, reach:
 *   number | null }} Flow
 */

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty(
        "Choose a run first: this view shows the gradients of a run's model on a text.",
        "#/runs",
        "Runs",
      ),
    );
    return undefined;
  }
  const page = build(element, run);
  const session = new Session(run, new Asking(page.message));
  /** @type {import("../chart.js").Scales | null} */
  let chart = null;
  const render = () => {
    chart = renderLines(page, session);
    showPlace(page, session, chart);
  };
  /** @param {number} to */
  const go = (to) => {
    session.go(to);
    showPlace(page, session, chart);
  };
  /** @param {string} text */
  const load = async (text) => {
    if (!(await session.load(text, Number(page.steps.value)))) return;
    page.text.value = session.text;
    render();
  };
  page.chart.addEventListener("pointermove", (event) => {
    if (chart) go(session.steps - 1 - chart.at(place(event, page.chart)[0]));
  });
  page.figure.addEventListener("keydown", (event) => {
    const { at } = session;
    const to = { ArrowLeft: at + 1, ArrowRight: at - 1, Home: Number.POSITIVE_INFINITY, End: 0 }[
      event.key
    ];
    if (to === undefined || !session.lines.length) return;
    event.preventDefault();
    go(to);
  });
  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    load(page.text.value);
  });
  const observer = new ResizeObserver(render);
  observer.observe(page.figure);
  await load("");
  return () => {
    session.asking.end();
    observer.disconnect();
  };
}

/** The gradients on a text, and the chosen place. */
class Session {
  /** @param {string} run  @param {Asking} asking */
  constructor(run, asking) {
    this.path = `/api/gradients/${encodeURIComponent(run)}`;
    this.asking = asking;
    this.text = "";
    this.steps = 0;
    /** @type {Flow[]} */
    this.lines = [];
    this.at = 0; // steps before the loss
  }

  /**
   * Requests the gradients; says whether there are new ones.
   * @param {string} text
   * @param {number} steps
   */
  async load(text, steps) {
    const json = { text, steps };
    const found = await this.asking.ask(
      () => api(this.path, { json }),
      "Going back through time\u2026",
    );
    if (!found) return false;
    Object.assign(this, { text: found.text, steps: found.steps, lines: found.lines, at: 0 });
    return true;
  }

  /** @param {number} at */
  go(at) {
    this.at = clamp(at, 0, this.steps - 1);
  }
}

/** @typedef {ReturnType<typeof build>} Page */

/**
 * Draws the chart. The loss is at the right; time runs to the right, as in the text.
 * @param {Page} page
 * @param {Session} session
 */
function renderLines(page, { lines, steps }) {
  if (!lines.length) return null;
  const width = page.figure.clientWidth;
  const size = { width, height: clamp(width * 0.5, 240, 420) };
  const drawn = lines.map(({ norms, kind }, i) => ({
    values: norms.toReversed(),
    className: styleOf(kind, i),
  }));
  /** @param {number} t */
  const tick = (t) => minus(String(t + 1 - steps));
  return renderChart(page.chart, drawn, { ...size, tick, axis: "tokens before the loss" });
}

/**
 * Shows a line at the place, and the numbers there.
 * @param {Page} page
 * @param {Session} session
 * @param {import("../chart.js").Scales | null} chart
 */
function showPlace(page, { lines, steps, at }, chart) {
  if (!chart) return;
  page.chart.querySelector(".here")?.remove();
  const x = chart.x(steps - 1 - at);
  const bottom = Number(page.chart.getAttribute("height")) - MARGINS.bottom;
  page.chart.append(svg("line", { class: "here", x1: x, x2: x, y1: MARGINS.top, y2: bottom }));
  const where =
    at === 1 ? "1 token before the loss" : at ? `${at} tokens before the loss` : "at the loss";
  page.here.replaceChildren(
    el(
      "table",
      { className: "sums" },
      tableHead(["", where, "factor a step back", "1 % is left after"]),
      el(
        "tbody",
        {},
        ...lines.map(({ name, kind, norms, factor, reach }, i) =>
          el(
            "tr",
            {},
            el("th", { scope: "row", className: `key ${styleOf(kind, i)}` }, name),
            el("td", {}, power(norms[at])),
            el("td", {}, factor?.toFixed(3) ?? ""),
            el("td", {}, reach === null ? `more than ${steps}` : `${reach} tokens`),
          ),
        ),
      ),
    ),
  );
}

/**
 * Lines of the run have the accent colour, layer by layer; each untrained model has its own colour.
 * @param {string} kind
 * @param {number} i
 */
const styleOf = (kind, i) => (kind === "run" ? `line-run layer-${Math.min(i, 3)}` : `line-${kind}`);

/** @param {number | null} norm */
const power = (norm) => (norm ? minus(norm.toExponential(1)) : norm === 0 ? "0" : "not finite");

/** @param {HTMLElement} element  @param {string} run */
function build(element, run) {
  const text = el("textarea", { rows: 3, spellcheck: false, ariaLabel: "text" });
  const steps = el("input", { type: "number", min: 2, max: 500, value: 100, className: "small" });
  const form = el(
    "form",
    { className: "stack" },
    text,
    el(
      "div",
      { className: "controls" },
      el("button", { type: "submit" }, "Go back through this text"),
      el("label", {}, "steps back ", steps),
    ),
  );
  const chart = svg("svg", {
    class: "chart",
    role: "img",
    "aria-label": "Norms of the gradient over time; the numbers of the chosen step are below",
  });
  const figure = el(
    "div",
    { className: "chart-box", tabIndex: 0, ariaLabel: "Chart: arrow keys move" },
    chart,
  );
  const [message, here] = [el("div", { role: "status" }), el("div", { className: "scroll-x" })];
  element.replaceChildren(
    el("h1", {}, "Gradients ", el("small", {}, run)),
    el(
      "p",
      { className: "lead" },
      "|dL/dh",
      el("sub", {}, "t"),
      "|, where L is the loss at the last token: how far back a state still matters. ",
      "A line that falls to the left is a vanishing gradient, one that rises an exploding ",
      "gradient; the scale is logarithmic. ",
      "Medians over positions in the text, compared with untrained networks.",
    ),
    figure,
    here,
    message,
    el("h2", {}, "The text"),
    form,
  );
  return { text, steps, form, chart, figure, message, here };
}

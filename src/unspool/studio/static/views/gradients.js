// Gradients: how much of the gradient of a token's loss reaches each state before it.

import { api, el, empty, failure } from "../calls.js";
import { renderChart } from "../chart.js";
import { clamp, place } from "../canvas.js";
import { svg } from "../graph.js";

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty(
        "Choose a run first: this view shows the gradients of a run's model on a text.",
        "#/runs",
        "Runs",
      ),
    );
    return () => {};
  }
  const page = build(element, run);
  const path = `/api/gradients/${encodeURIComponent(run)}`;
  let found = null;
  let chart = null;
  let at = 0;
  let asked = 0;

  async function load(text) {
    const mine = ++asked;
    page.message.replaceChildren(el("p", { className: "quiet" }, "Going back through time\u2026"));
    try {
      const made = await api(path, {
        method: "POST",
        json: { text, steps: Number(page.steps.value) },
      });
      if (mine !== asked) return;
      found = made;
      page.message.replaceChildren();
      page.text.value = found.text;
      at = 0;
      render();
    } catch (error) {
      if (mine === asked) page.message.replaceChildren(failure(error));
    }
  }

  /** Draws the chart. The loss is at the right; time runs to the right, as in the text. */
  function render() {
    if (!found) return;
    const width = page.figure.clientWidth;
    const size = { width, height: Math.max(240, Math.min(420, width * 0.5)) };
    const lines = found.lines.map(({ norms, kind }, i) => ({
      values: norms.toReversed(),
      className: styleOf(kind, i),
    }));
    const tick = (t) => String(t + 1 - found.steps).replace("-", "\u2212");
    chart = renderChart(page.chart, lines, { ...size, tick, axis: "tokens before the loss" });
    tell();
  }

  function tell() {
    if (!found || !chart) return;
    page.chart.querySelector(".here")?.remove();
    const x = chart.x(found.steps - 1 - at);
    page.chart.append(
      svg("line", {
        class: "here",
        x1: x,
        x2: x,
        y1: 12,
        y2: Number(page.chart.getAttribute("height")) - 34,
      }),
    );
    const where =
      at === 1 ? "1 token before the loss" : at ? `${at} tokens before the loss` : "at the loss";
    const head = ["", where, "factor a step back", "1 % is left after"].map((name) =>
      el("th", { scope: "col" }, name),
    );
    page.here.replaceChildren(
      el(
        "table",
        { className: "sums" },
        el("thead", {}, el("tr", {}, ...head)),
        el(
          "tbody",
          {},
          ...found.lines.map(({ name, kind, norms, factor, reach }, i) =>
            el(
              "tr",
              {},
              el("th", { scope: "row", className: `key ${styleOf(kind, i)}` }, name),
              el("td", {}, power(norms[at])),
              el("td", {}, factor?.toFixed(3) ?? ""),
              el("td", {}, reach === null ? `more than ${found.steps}` : `${reach} tokens`),
            ),
          ),
        ),
      ),
    );
  }

  const go = (t) => {
    at = clamp(t, 0, found.steps - 1);
    tell();
  };
  page.chart.addEventListener(
    "pointermove",
    (event) => chart && go(found.steps - 1 - chart.at(place(event, page.chart)[0])),
  );
  page.figure.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at + 1, ArrowRight: at - 1, Home: Infinity, End: 0 }[event.key];
    if (to === undefined || !found) return;
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
    asked = -1;
    observer.disconnect();
  };
}

/** Lines of the run have the accent colour, layer by layer; each untrained model has its own colour. */
const styleOf = (kind, i) => (kind === "run" ? `line-run layer-${Math.min(i, 3)}` : `line-${kind}`);
const power = (norm) =>
  norm ? norm.toExponential(1).replaceAll("-", "\u2212") : norm === 0 ? "0" : "not finite";

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
      "A line that falls to the left is a vanishing gradient, one that rises an exploding gradient; the scale is logarithmic.  ",
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

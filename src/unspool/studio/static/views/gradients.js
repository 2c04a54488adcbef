// Gradients: how much of the loss at the last token comes back to each state before it.

import { api, el, empty, failure } from "../lib.js";
import { drawChart } from "../chart.js";
import { clamp, place } from "../canvas.js";
import { shown, svg } from "../graph.js";

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(empty("Choose a run first: the gradients are those of a run's model on a text.", "#/runs", "Runs"));
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
      const made = await api(path, { method: "POST", json: { text } });
      if (mine !== asked) return;
      found = made;
      page.message.replaceChildren();
      page.text.value = found.text;
      at = Math.max(0, found.tokens.length - 1);
      page.legend.replaceChildren(...found.lines.map(({ name }, i) => el("li", { className: `key line-${i}` }, name)));
      draw();
    } catch (error) {
      if (mine === asked) page.message.replaceChildren(failure(error));
    }
  }

  function draw() {
    if (!found) return;
    const width = page.figure.clientWidth;
    const size = { width, height: Math.max(240, Math.min(420, width * 0.5)) };
    const last = found.tokens.length - 1;
    const lines = found.lines.map(({ norms }, i) => ({ values: norms, className: `line-${i}` }));
    const names = { tick: (t) => String(t - last).replace("-", "\u2212"), axis: "tokens before the loss" };
    chart = drawChart(page.chart, lines, { ...size, ...names });
    tell();
  }

  function tell() {
    if (!found || !chart) return;
    page.chart.querySelector(".here")?.remove();
    const x = chart.x(at);
    page.chart.append(svg("line", { class: "here", x1: x, x2: x, y1: 12, y2: Number(page.chart.getAttribute("height")) - 34 }));
    const back = found.tokens.length - 1 - at;
    page.here.replaceChildren(
      el("p", {}, `${back} tokens before the loss, at `, el("code", {}, context(found.tokens, at))),
      el("ul", { className: "legend" }, ...found.lines.map(({ name, norms }, i) =>
        el("li", { className: `key line-${i}` }, `${name}: ${norms[at] ? norms[at].toExponential(1).replaceAll("-", "\u2212") : "0"}`))),
    );
  }

  const go = (t) => {
    at = clamp(t, 0, found.tokens.length - 1);
    tell();
  };
  page.chart.addEventListener("pointermove", (event) => chart && go(chart.at(place(event, page.chart)[0])));
  page.figure.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined || !found) return;
    event.preventDefault();
    go(to);
  });
  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    load(page.text.value);
  });
  const observer = new ResizeObserver(draw);
  observer.observe(page.figure);
  await load("");
  return () => {
    asked = -1;
    observer.disconnect();
  };
}

/** A token with its neighbours. */
function context(tokens, at) {
  const part = (from, to) => tokens.slice(Math.max(0, from), to).map(shown).join("");
  return `${part(at - 12, at)}[${shown(tokens[at])}]${part(at + 1, at + 6)}`;
}

function build(element, run) {
  const text = el("textarea", { rows: 3, spellcheck: false, ariaLabel: "text" });
  const form = el("form", { className: "stack" }, text, el("div", { className: "controls" }, el("button", { type: "submit" }, "Go back through this text")));
  const chart = svg("svg", { class: "chart", role: "img", "aria-label": "Norms of the gradient over time; the numbers of the chosen step stand below" });
  const figure = el("div", { className: "chart-box", tabIndex: 0, ariaLabel: "Chart: arrow keys move" }, chart);
  const [message, legend, here] = [el("div", { role: "status" }), el("ul", { className: "legend" }), el("div", { className: "here-box", ariaLive: "polite" })];
  element.replaceChildren(
    el("h1", {}, "Gradients ", el("small", {}, run)),
    el("p", { className: "lead" },
      "|dL/dh", el("sub", {}, "t"), "|, where L is the loss at the last token: how far back a state still counts. ",
      "A line that falls is a gradient that vanishes, one that rises explodes; the scale is logarithmic. ",
      "Beside the run stand untrained networks of the same size."),
    form, message, legend, figure, here,
  );
  return { text, form, chart, figure, message, legend, here };
}

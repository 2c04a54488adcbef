// Translation: translate a sentence, and see which words each word attended to.

import { api, el, empty, failure } from "../calls.js";
import { Matrix } from "../matrix.js";

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty(
        "Choose a run first: this view is for runs of \u201ctrain translate\u201d.",
        "#/runs",
        "Runs",
      ),
    );
    return () => {};
  }
  const path = `/api/translation/${encodeURIComponent(run)}`;
  let about;
  try {
    about = await api(path);
  } catch (error) {
    element.replaceChildren(failure(error));
    return () => {};
  }
  const page = build(element, run, about);
  const matrix = new Matrix(page.canvas, {
    onRead: (row, column, weight) => {
      page.readout.textContent = `\u201c${shown.target[row]}\u201d attended to \u201c${shown.source[column]}\u201d with a weight of ${weight.toFixed(3)}`;
    },
  });
  let shown = { source: [], target: [] };
  let asked = 0;

  async function translate() {
    const mine = ++asked;
    page.message.replaceChildren(el("p", { className: "quiet" }, "Translating\u2026"));
    try {
      const json = { text: page.text.value, num_beams: Number(page.beams.value) };
      const made = await api(path, { method: "POST", json });
      if (mine !== asked) return;
      page.message.replaceChildren();
      page.best.replaceChildren(
        ...made.translations.map((one, i) => choice(one, () => choose(made, i))),
      );
      choose(made, 0);
    } catch (error) {
      if (mine === asked) page.message.replaceChildren(failure(error));
    }
  }

  function choose(made, i) {
    const one = made.translations[i];
    [...page.best.querySelectorAll("button")].forEach(
      (button, at) => (button.ariaPressed = String(at === i)),
    );
    page.figure.hidden = !one.weights;
    if (!one.weights) return;
    shown = { source: made.source, target: one.target };
    matrix.set(shown.target, shown.source, one.weights);
  }

  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  page.beams.addEventListener("change", translate);
  if (about.example) await translate();
  return () => {
    asked = -1;
    matrix.end();
  };
}

function build(element, run, about) {
  const text = el("textarea", {
    rows: 2,
    value: about.example,
    ariaLabel: "sentence to translate",
  });
  const beams = el(
    "select",
    {},
    ...about.beams.map((n) =>
      el("option", { value: n, selected: n === 5 }, n === 1 ? "greedy" : `beam of ${n}`),
    ),
  );
  const form = el(
    "form",
    { className: "stack" },
    text,
    el(
      "div",
      { className: "controls" },
      el("button", { type: "submit" }, "Translate"),
      el("label", {}, "search ", beams),
    ),
  );
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    form.requestSubmit();
  });
  const canvas = el("canvas", {
    className: "matrix-canvas",
    tabIndex: 0,
    role: "application",
    ariaLabel: "Attention weights: arrow keys move",
  });
  const readout = el("p", { className: "readout", ariaLive: "polite" });
  const [message, best] = [el("div", { role: "status" }), el("ol", { className: "translations" })];
  const figure = el(
    "section",
    { hidden: true },
    el("h2", {}, "Attention"),
    el(
      "p",
      { className: "hint" },
      "A row for each token written, a column for each token read: the stronger a square, the more it counted.",
    ),
    el("div", { className: "scroll-x" }, canvas),
    readout,
  );
  element.replaceChildren(
    el("h1", {}, "Translation ", el("small", {}, run)),
    form,
    message,
    best,
    figure,
    ...(about.attention
      ? []
      : [
          el(
            "p",
            { className: "hint" },
            "This run passes each sentence through one vector: it has no attention to show.",
          ),
        ]),
  );
  return { text, beams, form, canvas, readout, message, best, figure };
}

function choice(one, choose) {
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", ariaPressed: "false", onclick: choose, className: "plain" },
      one.text || "(nothing)",
    ),
    el(
      "span",
      { className: "share" },
      ` log p ${one.log_p.toFixed(2).replace("-", "\u2212")}${one.finished ? "" : ", unfinished"}`,
    ),
  );
}

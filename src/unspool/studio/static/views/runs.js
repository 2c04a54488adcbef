// @ts-check
// Runs: list them, follow their training, start, stop and resume them.

import { api } from "../calls.js";
import { Curve } from "../curve.js";
import { el, empty, failure, tableHead } from "../elements.js";
import { RunsSession } from "./runs-session.js";
import { form } from "./start.js";

/** @typedef {import("./runs-session.js").RunSummary} RunSummary */
/** @typedef {import("../curve.js").CurveLine} CurveLine */
/** `what`: choose, stop or resume. @typedef {(what: string, name: string) => void} Act */

const EVERY_MS = 2000;

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  const view = new Runs(element, run);
  await view.refresh();
  return () => view.end();
}

/** Shows a session on the page, and keeps it up to date. */
class Runs {
  /** @param {HTMLElement} element  @param {string} run */
  constructor(element, run) {
    this.page = build(element);
    this.session = new RunsSession(run);
    this.over = false;
    /** @type {number | undefined} */
    this.timer = undefined;
    const { page } = this;
    this.curve = new Curve(page.canvas, (step, values) =>
      page.readout.replaceChildren(...told(step, values)),
    );
    page.log.addEventListener("change", () => this.render());
    page.begin.append(form((name) => this.act("choose", name)));
  }

  async refresh() {
    const { page, session } = this;
    try {
      await session.refresh();
      if (this.over) return;
      page.message.replaceChildren();
      showTable(page, session, (what, name) => this.act(what, name));
      await session.readCurves();
      if (!this.over) this.render();
    } catch (error) {
      page.message.replaceChildren(failure(error));
    }
    if (!this.over) this.timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  render() {
    const { page, session } = this;
    const lines = session.lines();
    const drawn = lines.filter(({ points }) => points.length);
    page.chart.hidden = !drawn.length;
    page.keys.replaceChildren(...drawn.map(key));
    this.curve.set(lines, page.log.checked);
    showDetail(page, session);
  }

  /** @type {Act} */
  async act(what, name) {
    if (what === "choose") this.session.toggle(name);
    else {
      try {
        await api(`/api/runs/${what}/${encodeURIComponent(name)}`, { method: "POST" });
      } catch (error) {
        this.page.message.replaceChildren(failure(error));
        return;
      }
    }
    clearTimeout(this.timer);
    await this.refresh();
  }

  end() {
    this.over = true;
    clearTimeout(this.timer);
  }
}

/** @typedef {ReturnType<typeof build>} Page */

/** @param {HTMLElement} element */
function build(element) {
  const canvas = el("canvas", {
    className: "curve",
    tabIndex: 0,
    ariaLabel: "Loss over steps; arrow keys read it",
  });
  const log = el("input", { type: "checkbox" });
  const message = el("div", { role: "status" });
  const table = el("div", { className: "scroll" });
  const readout = el("p", { className: "quiet" }, "Point at the curves to read them.");
  const [keys, detail] = [el("ul", { className: "keys" }), el("div")];
  const begin = el("details", {}, el("summary", {}, "Train on your own text"));
  const chart = el(
    "section",
    { hidden: true },
    el("h2", {}, "Loss, nats per token"),
    el("div", { className: "curve-box" }, canvas),
    el("div", { className: "row" }, el("label", {}, log, " logarithmic"), readout),
    keys,
  );
  element.replaceChildren(el("h1", {}, "Runs"), message, table, begin, chart, detail);
  return { canvas, log, message, table, readout, keys, detail, begin, chart };
}

/** @param {Page} page  @param {RunsSession} session  @param {Act} act */
function showTable(page, { runs, chosen }, act) {
  if (!runs.length) {
    page.begin.open = true;
    page.table.replaceChildren(
      empty(
        "There is no run in this folder yet. Train on your own text below, " +
          "or on the command line: unspool train text FILE --run DIR.",
      ),
    );
    return;
  }
  const classes = ["", "", "wide", "number wide", "number", "wide", ""];
  page.table.replaceChildren(
    el(
      "table",
      { className: "runs" },
      tableHead(
        ["", "run", "model", "step", "held-out loss", "last change", ""],
        (i) => classes[i],
      ),
      el("tbody", {}, ...runs.map((run) => row(run, chosen, act))),
    ),
  );
}

/** @param {RunSummary} run  @param {Set<string>} chosen  @param {Act} act */
function row(run, chosen, act) {
  const box = el("input", {
    type: "checkbox",
    checked: chosen.has(run.name),
    ariaLabel: `show the curve of ${run.name}`,
  });
  box.addEventListener("change", () => act("choose", run.name));
  const to = `#/${run.views?.[0] ?? "runs"}/${encodeURIComponent(run.name)}`;
  const name =
    run.error || run.starting
      ? el("span", {}, run.name)
      : el(
          "a",
          {
            className: "name",
            href: run.has_weights ? to : `#/runs/${encodeURIComponent(run.name)}`,
          },
          run.name,
        );
  const wrong = run.error ?? run.failure;
  const state = run.training
    ? [
        el(
          "span",
          { className: "live" },
          run.stopping ? "saving" : run.starting ? "starting" : "training",
        ),
      ]
    : [];
  /** @param {string} what  @param {string} label */
  const button = (what, label) =>
    el("button", { type: "button", onclick: () => act(what, run.name) }, label);
  const actions = el(
    "div",
    { className: "actions" },
    ...(run.ours && !run.stopping ? [button("stop", "stop")] : []),
    ...(!run.training && run.kind === "language" && !run.error ? [button("resume", "resume")] : []),
  );
  return el(
    "tr",
    {},
    el("td", {}, box),
    el("td", {}, name, " ", ...state, ...(wrong ? [failure(wrong)] : [])),
    el("td", { className: "wide quiet" }, run.kind ? sizeOf(run) : ""),
    el("td", { className: "number wide" }, run.step?.toLocaleString("en") ?? ""),
    el("td", { className: "number" }, run.val_loss_nats?.toFixed(4) ?? ""),
    el("td", { className: "wide quiet" }, run.changed ? ago(run.changed) : ""),
    el("td", {}, actions),
  );
}

/** Shortens package.module:Class. @param {string} cell */
const cellName = (cell) => (cell.includes(":") ? cell.replace(/.*:/, "") : cell.toUpperCase());

/** @param {RunSummary} run */
const sizeOf = ({ kind = "", cell, num_layers, hidden_size, tokens }) =>
  [
    kind === "language" ? "" : kind,
    `${cell ? cellName(cell) : ""} ${num_layers}\u00d7${hidden_size}`,
    tokens ? `${tokens} tokens` : "",
  ]
    .filter(Boolean)
    .join(", ");

/**
 * Shows the configurations of the chosen runs, folded up.
 * @param {Page} page
 * @param {RunsSession} session
 */
function showDetail(page, { shown }) {
  const names = shown.map(({ name }) => name);
  const known = names.join("\n");
  if (page.detail.dataset.known === known) return;
  page.detail.dataset.known = known;
  const open = new Set(
    [...page.detail.querySelectorAll("details")]
      .filter((one) => one.open)
      .map(({ dataset }) => dataset.run),
  );
  page.detail.replaceChildren(...names.map((name) => configuration(name, open.has(name))));
}

/** @param {string} name  @param {boolean} open */
function configuration(name, open) {
  const inside = el("div");
  const made = el("details", {}, el("summary", {}, `Configuration of ${name}`), inside);
  made.dataset.run = name;
  made.addEventListener("toggle", async () => {
    if (!made.open || inside.childElementCount) return;
    try {
      const { model, task, training } = await api(`/api/runs/config/${encodeURIComponent(name)}`);
      const parts = Object.entries({ model, task, training });
      inside.replaceChildren(
        ...parts.flatMap(([part, values]) => [el("h2", {}, part), list(values)]),
      );
    } catch (error) {
      inside.replaceChildren(failure(error));
    }
  });
  made.open = open;
  return made;
}

/** @param {Record<string, unknown>} values */
const list = (values) =>
  el(
    "dl",
    { className: "config" },
    ...Object.entries(values).flatMap(([name, value]) => [
      el("dt", {}, name),
      el(
        "dd",
        {},
        typeof value === "object" && value !== null ? JSON.stringify(value) : String(value),
      ),
    ]),
  );

/** @param {CurveLine} line */
const key = ({ name, colour, dashed }) => {
  const swatch = el("span", { className: "swatch" });
  swatch.style.background = colour;
  swatch.style.opacity = dashed ? "0.55" : "1";
  return el("li", {}, swatch, name);
};

/** @param {number | null} step  @param {import("../curve.js").CurveValue[]} values */
function told(step, values) {
  if (step === null) return ["Point at the curves to read them."];
  const words = values.flatMap(({ name, value }) =>
    value === undefined ? [] : [`${name} ${value.toFixed(4)}`],
  );
  return [`step ${Math.round(step).toLocaleString("en")}: `, words.join(" \u00b7 ")];
}

/** @param {number} time in seconds since 1970 */
function ago(time) {
  const seconds = Date.now() / 1000 - time;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 86400
    ? `${Math.round(seconds / 3600)} h ago`
    : new Date(1000 * time).toLocaleDateString("en-CA");
}

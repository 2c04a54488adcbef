// Runs: list them, follow their training, start, stop and resume them.

import { api, el, empty, failure } from "../calls.js";
import { Curve, colourOf } from "../curve.js";
import { form } from "./start.js";

const EVERY_MS = 2000;
const MOST_POINTS = 1500;

export async function show(element, run) {
  const page = build(element);
  const chosen = new Set(run ? [run] : []);
  const curves = new Map(); // run -> { offset, train, held }
  let runs = [],
    over = false,
    timer = null;

  const curve = new Curve(page.canvas, (step, values) =>
    page.readout.replaceChildren(...told(step, values)),
  );

  async function refresh() {
    try {
      runs = await api("/api/runs");
      if (over) return;
      page.message.replaceChildren();
      if (!chosen.size && runs.length && !page.table.childElementCount) {
        const first = runs.find(({ error, starting }) => !error && !starting);
        if (first) chosen.add(first.name);
      }
      table(page, runs, chosen, act);
      await Promise.all([...chosen].map((name) => read(name)));
      if (!over) render();
    } catch (error) {
      page.message.replaceChildren(failure(error));
    }
    if (!over) timer = setTimeout(refresh, EVERY_MS);
  }

  async function read(name) {
    const held = curves.get(name) ?? { offset: 0, train: [], objective: [], held: [] };
    const { records, offset, restart } = await api(
      `/api/runs/curve/${encodeURIComponent(name)}?offset=${held.offset}`,
    );
    if (restart) Object.assign(held, { train: [], objective: [], held: [] });
    held.offset = offset;
    for (const { step, loss_nats, objective, val_loss_nats } of records) {
      if (!Number.isFinite(step)) continue;
      if (Number.isFinite(loss_nats)) held.train.push([step, loss_nats]);
      else if (Number.isFinite(objective)) held.objective.push([step, objective]);
      if (Number.isFinite(val_loss_nats)) held.held.push([step, val_loss_nats]);
    }
    curves.set(name, held);
  }

  function render() {
    const lines = [...chosen]
      .filter((name) => curves.has(name))
      .flatMap((name, i) => {
        const { train, objective, held } = curves.get(name);
        return [
          // A step with a sampled softmax or rewards computes no cross-entropy.
          train.length
            ? {
                name: `${name}, training`,
                colour: colourOf(i),
                dashed: true,
                points: thinned(train),
              }
            : {
                name: `${name}, training objective`,
                colour: colourOf(i),
                dashed: true,
                points: thinned(objective),
              },
          { name: `${name}, held out`, colour: colourOf(i), points: held },
        ];
      });
    page.chart.hidden = !lines.some(({ points }) => points.length);
    page.keys.replaceChildren(...lines.filter(({ points }) => points.length).map(key));
    curve.set(lines, page.log.checked);
    detail(page, runs, chosen);
  }

  async function act(what, name) {
    if (what === "choose") {
      if (!chosen.delete(name)) chosen.add(name);
    } else {
      try {
        await api(`/api/runs/${what}/${encodeURIComponent(name)}`, { method: "POST" });
      } catch (error) {
        page.message.replaceChildren(failure(error));
        return;
      }
    }
    clearTimeout(timer);
    await refresh();
  }

  page.log.addEventListener("change", render);
  page.begin.append(form((name) => act("choose", name)));
  await refresh();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

function build(element) {
  const canvas = el("canvas", {
    className: "curve",
    tabIndex: 0,
    ariaLabel: "Loss over steps; arrow keys read it",
  });
  const log = el("input", { type: "checkbox" });
  const page = {
    canvas,
    log,
    message: el("div", { role: "status" }),
    table: el("div", { className: "scroll" }),
    readout: el("p", { className: "quiet" }, "Point at the curves to read them."),
    keys: el("ul", { className: "keys" }),
    detail: el("div", {}),
    begin: el("details", {}, el("summary", {}, "Train on your own text")),
  };
  page.chart = el(
    "section",
    { hidden: true },
    el("h2", {}, "Loss, nats per token"),
    el("div", { className: "curve-box" }, canvas),
    el("div", { className: "row" }, el("label", {}, log, " logarithmic"), page.readout),
    page.keys,
  );
  element.replaceChildren(
    el("h1", {}, "Runs"),
    page.message,
    page.table,
    page.begin,
    page.chart,
    page.detail,
  );
  return page;
}

function table(page, runs, chosen, act) {
  if (!runs.length) {
    page.begin.open = true;
    page.table.replaceChildren(
      empty(
        "There is no run in this folder yet. Train on your own text below, or on the command line: unspool train text FILE --run DIR.",
      ),
    );
    return;
  }
  const head = ["", "run", "model", "step", "held-out loss", "last change", ""];
  page.table.replaceChildren(
    el(
      "table",
      { className: "runs" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...head.map((name, i) =>
            el(
              "th",
              {
                scope: "col",
                className: { 2: "wide", 3: "number wide", 4: "number", 5: "wide" }[i] ?? "",
              },
              name,
            ),
          ),
        ),
      ),
      el("tbody", {}, ...runs.map((run) => row(run, chosen, act))),
    ),
  );
}

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

const sizeOf = ({ kind, cell, num_layers, hidden_size, tokens }) =>
  [
    kind === "language" ? "" : kind,
    `${cell?.toUpperCase() ?? ""} ${num_layers}\u00d7${hidden_size}`,
    tokens ? `${tokens} tokens` : "",
  ]
    .filter(Boolean)
    .join(", ");

function detail(page, runs, chosen) {
  const open = new Set(
    [...page.detail.querySelectorAll("details[open]")].map(({ dataset }) => dataset.run),
  );
  const rows = runs.filter(({ name, error, starting }) => chosen.has(name) && !error && !starting);
  const known = rows.map(({ name }) => name).join("\n");
  if (page.detail.dataset.known === known) return;
  page.detail.dataset.known = known;
  page.detail.replaceChildren(
    ...rows.map(({ name }) => {
      const inside = el("div", {});
      const made = el("details", {}, el("summary", {}, `Configuration of ${name}`), inside);
      made.dataset.run = name;
      made.addEventListener("toggle", async () => {
        if (!made.open || inside.childElementCount) return;
        try {
          const { model, task, training } = await api(
            `/api/runs/config/${encodeURIComponent(name)}`,
          );
          inside.replaceChildren(
            ...Object.entries({ model, task, training }).flatMap(([part, values]) => [
              el("h2", {}, part),
              list(values),
            ]),
          );
        } catch (error) {
          inside.replaceChildren(failure(error));
        }
      });
      made.open = open.has(name);
      return made;
    }),
  );
}

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

const key = ({ name, colour, dashed }) => {
  const swatch = el("span", { className: "swatch" });
  swatch.style.background = colour;
  swatch.style.opacity = dashed ? 0.55 : 1;
  return el("li", {}, swatch, name);
};

const told = (step, values) =>
  step === null || step === undefined
    ? ["Point at the curves to read them."]
    : [
        `step ${Math.round(step).toLocaleString("en")}: `,
        values
          .filter(({ value }) => value !== undefined)
          .map(({ name, value }) => `${name} ${value.toFixed(4)}`)
          .join(" \u00b7 "),
      ];

function ago(time) {
  const seconds = Date.now() / 1000 - time;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 86400
    ? `${Math.round(seconds / 3600)} h ago`
    : new Date(1000 * time).toLocaleDateString("en-CA");
}

/** Returns at most as many points as the screen has pixels, each the mean of its neighbours. */
function thinned(points) {
  const size = Math.ceil(points.length / MOST_POINTS);
  if (size <= 1) return points;
  const made = [];
  for (let i = 0; i < points.length; i += size) {
    const part = points.slice(i, i + size);
    made.push([part.at(-1)[0], part.reduce((sum, [, loss]) => sum + loss, 0) / part.length]);
  }
  return made;
}

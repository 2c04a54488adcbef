// The elements of the Units view and their texts; cells.js has their behaviour.

import { el } from "../calls.js";
import { css } from "../colours.js";

const select = (label) => el("select", { ariaLabel: label });
const box = (label, ...inside) => el("label", {}, label, " ", ...inside);

export function page(element, run) {
  const parts = {
    layer: select("layer"),
    quantity: select("quantity"),
    sort: select("order of the units"),
    unit: el("input", { type: "number", min: 0, value: 0, className: "small" }),
    surprise: el("input", { type: "checkbox" }),
    mean: el("input", { type: "checkbox" }),
    pattern: el("input", { type: "text", spellcheck: false, placeholder: "TODO.*" }),
    spanning: el("input", { type: "checkbox" }),
    threshold: el("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, value: 0.5 }),
    source: el("textarea", { rows: 6, spellcheck: false, ariaLabel: "text" }),
    read: el("button", { type: "button" }, "Read this text"),
    held: el("button", { type: "button" }, "Held-out text of the run"),
    file: el("input", {
      type: "file",
      accept: "text/*,.c,.h,.py,.tex,.txt,.md",
      ariaLabel: "open a file",
    }),
    message: el("div", { role: "status", className: "message" }),
    text: el("div", {
      role: "application",
      ariaLabel: "The text, coloured by the unit: arrow keys move, with Shift they mark a span",
    }),
    tiles: el("canvas", {
      className: "tiles",
      tabIndex: 0,
      role: "application",
      ariaLabel: "All units of the layer: arrow keys choose one",
    }),
    map: el("canvas", {
      className: "heatmap",
      tabIndex: 0,
      role: "application",
      ariaLabel: "Values over time: arrow keys move, plus and minus zoom",
    }),
    next: el("div", { className: "next-box" }),
    chosen: el("p", { className: "chosen", ariaLive: "polite" }),
    readout: el("span", { className: "readout" }),
    mapReadout: el("span", { className: "readout" }),
    spanText: el("span", {}),
    ranked: el("ol", { className: "ranked" }),
    scale: el("span", { className: "scale" }),
  };
  parts.spanBox = el(
    "p",
    { hidden: true },
    parts.spanText,
    el("br"),
    box("on: at least", parts.threshold),
  );
  parts.patternBox = el("label", { hidden: true }, "regular expression ", parts.pattern);
  element.replaceChildren(
    el("h1", {}, "Units ", el("small", {}, run)),
    el(
      "details",
      { className: "source" },
      el("summary", {}, "Text"),
      parts.source,
      el("div", { className: "controls" }, parts.read, parts.held, box("or a file", parts.file)),
    ),
    parts.message,
    el(
      "div",
      { className: "controls" },
      box("layer", parts.layer),
      box("show", parts.quantity),
      box("unit", parts.unit),
      el("label", { className: "check" }, parts.surprise, " colour by surprise"),
      parts.scale,
    ),
    parts.chosen,
    el(
      "div",
      { className: "cells-grid" },
      el(
        "section",
        { ariaLabel: "text" },
        parts.text,
        el(
          "div",
          { className: "hint" },
          "Drag over the text (or Shift and the arrow keys) to find units that are on there and off elsewhere. ",
          el("label", { className: "check touch-only" }, parts.spanning, " mark with taps"),
        ),
        parts.next,
      ),
      el(
        "section",
        { ariaLabel: "all units" },
        el(
          "div",
          { className: "controls" },
          box("order by", parts.sort),
          parts.patternBox,
          el("label", { className: "check" }, parts.mean, " mean over the text"),
        ),
        parts.tiles,
        el("div", { className: "hint" }, "Each square is a unit. ", parts.readout),
        parts.spanBox,
        parts.ranked,
      ),
    ),
    el("h2", {}, "Over time"),
    parts.map,
    el(
      "div",
      { className: "hint" },
      "A column per token, a row per unit. Drag to pan; zoom with + and \u2212, Ctrl and the wheel, or two fingers; 0 shows all. ",
      parts.mapReadout,
    ),
  );
  return {
    ...parts,
    busy: (on) => busy(element, parts, on),
    list: (...args) => list(parts.ranked, ...args),
    legend: (...args) => legend(parts.scale, ...args),
  };
}

function busy(element, parts, on) {
  element.setAttribute("aria-busy", String(on));
  for (const button of [parts.read, parts.held]) button.disabled = on;
  if (on) parts.message.replaceChildren(el("p", { className: "quiet" }, "Reading\u2026"));
  else if (parts.message.textContent === "Reading\u2026") parts.message.replaceChildren();
}

const CHANCE =
  "Control: the best score of any unit when the annotation is shifted against the text, 19 times; " +
  "p: how often the best unit then reaches the score";

/** Shows the best of the ranked units, each as a button. */
function list(element, ranked, layer, unit, choose) {
  element.replaceChildren(
    ...ranked.slice(0, 12).map((one) => {
      const score =
        one.auc == null ? `correlation ${signed(one.correlation)}` : `AUC ${one.auc?.toFixed(3)}`;
      const figure =
        one.inside === undefined
          ? `${score}, control ${one.control.toFixed(3)}, p ${+one.p.toPrecision(2)}`
          : `on in ${percent(one.inside)} of the span, ${percent(one.outside)} elsewhere`;
      const chosen = one.layer === layer && one.unit === unit;
      return el(
        "li",
        { title: one.inside === undefined ? CHANCE : "" },
        el(
          "button",
          { type: "button", ariaPressed: String(chosen), onclick: () => choose(one) },
          `layer ${one.layer + 1}, unit ${one.unit}`,
        ),
        ` ${figure}`,
      );
    }),
  );
}

const signed = (value) => (value ?? 0).toFixed(3).replace("-", "\u2212");
const percent = (share) => `${Math.round(100 * share)} %`;

function legend(element, gate, name) {
  const ends = gate ? ["0", "1"] : ["\u22121", "1"];
  const bar = el("span", { className: "scale-bar" });
  bar.style.background = `linear-gradient(to right, ${[-1, -0.5, 0, 0.5, 1].map((value) => css(value, 1)).join(",")})`;
  element.replaceChildren(name, ends[0], bar, ends[1]);
}

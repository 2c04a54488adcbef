// @ts-check
// The elements of the Units view and their texts; cells.js has their behaviour.

import { css } from "../colours.js";
import { el } from "../elements.js";
import { fixed } from "../formats.js";

/** @typedef {import("./cells-session.js").Ranked} Ranked */

/** @param {string} label */
const select = (label) => el("select", { ariaLabel: label });

/** @param {string} label  @param {...HTMLElement} inside */
const box = (label, ...inside) => el("label", {}, label, " ", ...inside);

/** @param {HTMLElement} element  @param {string} run */
export function build(element, run) {
  const message = el("div", { role: "status", className: "message" });
  const chosen = el("p", { className: "chosen", ariaLive: "polite" });
  const [source, choices, text, tiles, map] = [
    sourceBox(),
    choiceBar(),
    textBox(),
    tilesBox(),
    mapBox(),
  ];
  element.replaceChildren(
    el("h1", {}, "Units ", el("small", {}, run)),
    source.box,
    message,
    choices.box,
    chosen,
    el("div", { className: "cells-grid" }, text.box, tiles.box),
    el("h2", {}, "Over time"),
    map.map,
    map.hint,
  );
  return {
    message,
    chosen,
    ...source.parts,
    ...choices.parts,
    ...text.parts,
    ...tiles.parts,
    ...map,
  };
}

/** The text to read. */
function sourceBox() {
  const source = el("textarea", { rows: 6, spellcheck: false, ariaLabel: "text" });
  const read = el("button", { type: "button" }, "Read this text");
  const held = el("button", { type: "button" }, "Held-out text of the run");
  const accept = "text/*,.c,.h,.py,.tex,.txt,.md";
  const file = el("input", { type: "file", accept, ariaLabel: "open a file" });
  const controls = el("div", { className: "controls" }, read, held, box("or a file", file));
  const made = el("details", { className: "source" }, el("summary", {}, "Text"), source, controls);
  return { box: made, parts: { source, read, held, file } };
}

/** Which unit, and what of it. */
function choiceBar() {
  const [layer, quantity] = [select("layer"), select("quantity")];
  const unit = el("input", { type: "number", min: 0, value: 0, className: "small" });
  const surprise = el("input", { type: "checkbox" });
  const scale = el("span", { className: "scale" });
  const made = el(
    "div",
    { className: "controls" },
    box("layer", layer),
    box("show", quantity),
    box("unit", unit),
    el("label", { className: "check" }, surprise, " colour by surprise"),
    scale,
  );
  return { box: made, parts: { layer, quantity, unit, surprise, scale } };
}

/** The text, coloured, and what the model expects next. */
function textBox() {
  const label = "The text, coloured by the unit: arrow keys move, with Shift they mark a span";
  const text = el("div", { role: "application", ariaLabel: label });
  const spanning = el("input", { type: "checkbox" });
  const next = el("div", { className: "next-box" });
  const hint = el(
    "div",
    { className: "hint" },
    "Drag over the text (or Shift and the arrow keys) to find units that are on there ",
    "and off elsewhere. ",
    el("label", { className: "check touch-only" }, spanning, " mark with taps"),
  );
  return {
    box: el("section", { ariaLabel: "text" }, text, hint, next),
    parts: { text, spanning, next },
  };
}

/** All units as squares, and the best of them for a property or a span of the text. */
function tilesBox() {
  const sort = select("order of the units");
  const pattern = el("input", { type: "text", spellcheck: false, placeholder: "TODO.*" });
  const patternBox = el("label", { hidden: true }, "regular expression ", pattern);
  const mean = el("input", { type: "checkbox" });
  const label = "All units of the layer: arrow keys choose one";
  const tiles = el("canvas", {
    className: "tiles",
    tabIndex: 0,
    role: "application",
    ariaLabel: label,
  });
  const [readout, spanText] = [el("span", { className: "readout" }), el("span")];
  const threshold = el("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, value: 0.5 });
  const spanBox = el("p", { hidden: true }, spanText, el("br"), box("on: at least", threshold));
  const ranked = el("ol", { className: "ranked" });
  const meanBox = el("label", { className: "check" }, mean, " mean over the text");
  const made = el(
    "section",
    { ariaLabel: "all units" },
    el("div", { className: "controls" }, box("order by", sort), patternBox, meanBox),
    tiles,
    el("div", { className: "hint" }, "Each square is a unit. ", readout),
    spanBox,
    ranked,
  );
  const parts = {
    sort,
    pattern,
    patternBox,
    mean,
    tiles,
    readout,
    spanText,
    threshold,
    spanBox,
    ranked,
  };
  return { box: made, parts };
}

/** Values over time. */
function mapBox() {
  const label = "Values over time: arrow keys move, plus and minus zoom";
  const map = el("canvas", {
    className: "heatmap",
    tabIndex: 0,
    role: "application",
    ariaLabel: label,
  });
  const mapReadout = el("span", { className: "readout" });
  const hint = el(
    "div",
    { className: "hint" },
    "A column per token, a row per unit. Drag to pan; zoom with + and \u2212, Ctrl and the wheel, ",
    "or two fingers; 0 shows all. ",
    mapReadout,
  );
  return { map, mapReadout, hint };
}

const CHANCE =
  "Control: the best score of any unit when the annotation is shifted against the text, " +
  "19 times; p: how often the best unit then reaches the score";

/**
 * Shows the best of the ranked units, each as a button.
 * @param {HTMLElement} element
 * @param {{ ranked: Ranked[], layer: number, unit: number }} session
 * @param {(one: Ranked) => void} choose
 */
export function showRanked(element, { ranked, layer, unit }, choose) {
  element.replaceChildren(
    ...ranked.slice(0, 12).map((one) => {
      const chosen = one.layer === layer && one.unit === unit;
      return el(
        "li",
        { title: one.inside === undefined ? CHANCE : "" },
        el(
          "button",
          { type: "button", ariaPressed: String(chosen), onclick: () => choose(one) },
          `layer ${one.layer + 1}, unit ${one.unit}`,
        ),
        ` ${score(one)}`,
      );
    }),
  );
}

/** @param {Ranked} one */
function score({ inside, outside = 0, auc, correlation, control = 0, p = 0 }) {
  if (inside !== undefined)
    return `on in ${percent(inside)} of the span, ${percent(outside)} elsewhere`;
  const found = auc == null ? `correlation ${fixed(correlation ?? 0, 3)}` : `AUC ${auc.toFixed(3)}`;
  return `${found}, control ${control.toFixed(3)}, p ${Number(p.toPrecision(2))}`;
}

/** @param {number} share */
const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * Shows the colours from the least value to the largest.
 * @param {HTMLElement} element
 * @param {string} name
 * @param {import("../quantities.js").Range} range
 */
export function showLegend(element, name, range) {
  const bar = el("span", { className: "scale-bar" });
  const colours = [-1, -0.5, 0, 0.5, 1].map((value) => css(value, 1));
  bar.style.background = `linear-gradient(to right, ${colours.join(",")})`;
  const [low, high] = range.map((end) => String(end).replace("-", "\u2212"));
  element.replaceChildren(`${name}: `, low, bar, high);
}

// @ts-check
// Translation: translate a sentence, and see which words each word attended to.

import { Asking } from "../asking.js";
import { api } from "../calls.js";
import { el } from "../elements.js";
import { quoted } from "../formats.js";
import { Matrix } from "../matrix.js";
import { beamChoice, logP, noAttention, searching } from "../search.js";

/**
 * @typedef {{ text: string, log_p: number, finished: boolean, target: string[], weights?:
 *   number[][] }} Translated
 */

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  const found = await searching(element, run, { view: "translation", command: "train translate" });
  if (!found) return undefined;
  const page = build(element, run, found.about);
  const session = new Session(found.path, new Asking(page.message));
  const matrix = new Matrix(page.canvas, {
    onRead: (row, column, weight) => {
      const [written, read] = [session.chosen.target[row], session.source[column]];
      const words = `${quoted(written)} attended to ${quoted(read)}`;
      page.readout.textContent = `${words} with a weight of ${weight.toFixed(3)}`;
    },
  });
  /** @param {number} number */
  const choose = (number) => {
    session.number = number;
    showChosen(page, matrix, session);
  };
  const translate = async () => {
    if (!(await session.translate(page.text.value, Number(page.beams.value)))) return;
    page.best.replaceChildren(
      ...session.translations.map((one, i) => choice(one, () => choose(i))),
    );
    choose(0);
  };
  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  page.beams.addEventListener("change", translate);
  if (found.about.example) await translate();
  return () => {
    session.asking.end();
    matrix.end();
  };
}

/** The best translations of a sentence, and the chosen one. */
class Session {
  /** @param {string} path  @param {Asking} asking */
  constructor(path, asking) {
    this.path = path;
    this.asking = asking;
    /** The tokens that were read. @type {string[]} */
    this.source = [];
    /** @type {Translated[]} */
    this.translations = [];
    this.number = 0;
  }

  get chosen() {
    return this.translations[this.number];
  }

  /**
   * Requests translations; says whether there are new ones.
   * @param {string} text
   * @param {number} num_beams
   */
  async translate(text, num_beams) {
    const json = { text, num_beams };
    const answer = await this.asking.ask(() => api(this.path, { json }), "Translating\u2026");
    if (!answer) return false;
    Object.assign(this, { source: answer.source, translations: answer.translations });
    return true;
  }
}

/** @typedef {ReturnType<typeof build>} Page */

/** @param {Page} page  @param {Matrix} matrix  @param {Session} session */
function showChosen(page, matrix, { chosen, number, source }) {
  for (const [i, button] of page.best.querySelectorAll("button").entries())
    button.ariaPressed = String(i === number);
  page.figure.hidden = !chosen.weights;
  if (chosen.weights) matrix.set(chosen.target, source, chosen.weights);
}

/**
 * @param {HTMLElement} element
 * @param {string} run
 * @param {import("../search.js").About} about
 */
function build(element, run, about) {
  const text = el("textarea", {
    rows: 2,
    value: about.example,
    ariaLabel: "sentence to translate",
  });
  const beams = beamChoice(about.beams);
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
      "A row for each token written, a column for each token read: ",
      "the stronger a square, the more it counted.",
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
    ...noAttention(
      about,
      "This run passes each sentence through one vector: it has no attention to show.",
    ),
  );
  return { text, beams, form, canvas, readout, message, best, figure };
}

/** @param {Translated} one  @param {() => void} choose */
function choice(one, choose) {
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", ariaPressed: "false", onclick: choose, className: "plain" },
      one.text || "(nothing)",
    ),
    el("span", { className: "share" }, ` ${logP(one.log_p)}${one.finished ? "" : ", unfinished"}`),
  );
}

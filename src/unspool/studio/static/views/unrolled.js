// @ts-check
// Unrolled: a tiny network learns a word; its computation graph, step by step, with every number.

import { Asking } from "../asking.js";
import { api } from "../calls.js";
import { clamp } from "../canvas.js";
import { onTheme } from "../colours.js";
import { number } from "../formats.js";
import { plan, render as renderGraph, renderLabels } from "../graph.js";
import { build, stepInNumbers, weightTables } from "./unrolled-page.js";

/** @typedef {import("../sums.js").Lesson} Lesson */

/** @param {HTMLElement} element */
export async function show(element) {
  const session = new Session();
  const { cell } = await api("/api/choices");
  const page = build(element, session.network, cell);
  const asking = new Asking(page.message);
  /** @param {number} step  @param {number} [unit] */
  const go = (step, unit) => {
    if (!session.go(step, unit)) return;
    render(page, session, go);
    scrollTo(page, session);
  };
  const load = async () => {
    const lesson = await asking.ask(() => session.request());
    if (!lesson) return;
    session.take(lesson);
    render(page, session, go);
  };
  listen(page, session, { load, go, redraw: () => render(page, session, go) });
  const stopTheme = onTheme(() => render(page, session, go));
  await load();
  return () => {
    asking.end();
    stopTheme();
  };
}

/** The network, its lesson, and the chosen step and unit. */
class Session {
  constructor() {
    this.network = { text: "hello", cell: "rnn", hidden_size: 3, trained: 300 };
    /** @type {Lesson | null} */
    this.lesson = null;
    this.step = 0;
    this.unit = 0;
    this.gradients = false;
  }

  /** @returns {Promise<Lesson>} */
  request() {
    const { text, cell, hidden_size, trained } = this.network;
    const query = new URLSearchParams({
      text,
      cell,
      hidden_size: String(hidden_size),
      trained: String(trained),
    });
    return api(`/api/unrolled?${query}`);
  }

  /** @param {Lesson} lesson */
  take(lesson) {
    this.lesson = lesson;
    this.go(this.step, this.unit);
  }

  /**
   * Goes to a step and a unit; says whether there is a lesson.
   * @param {number} step
   * @param {number} unit
   */
  go(step, unit = this.unit) {
    if (!this.lesson) return false;
    this.step = clamp(step, 0, this.lesson.steps.length - 1);
    this.unit = clamp(unit, 0, this.lesson.hidden_size - 1);
    return true;
  }
}

/** @typedef {import("./unrolled-page.js").Page} Page */
/** @typedef {(step: number, unit?: number) => void} Go */

/** @param {Page} page  @param {Session} session  @param {Go} go */
function render(page, { lesson, network, step, unit, gradients }, go) {
  if (!lesson) return;
  renderGraph(page.graph, lesson, { step, unit, gradients, onPick: go });
  renderLabels(page.labels, lesson);
  page.step.max = String(lesson.steps.length);
  page.step.value = String(step + 1);
  page.stepText.textContent = `step ${step + 1} of ${lesson.steps.length}`;
  const sum = lesson.steps.reduce((total, one) => total + one.nats, 0);
  page.trainedText.textContent =
    `after ${network.trained} steps of training: ` + `loss ${number(sum)} nats in all`;
  page.told.replaceChildren(
    ...stepInNumbers(lesson, { step, unit, gradients }, (chosen) => go(step, chosen)),
  );
  page.weights.replaceChildren(...weightTables(lesson));
}

/** Scrolls the step to the middle. @param {Page} page  @param {Session} session */
function scrollTo({ scroller }, { lesson, step }) {
  if (!lesson) return;
  const { column } = plan(lesson);
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
  scroller.scrollTo({ left: step * column - (scroller.clientWidth - column) / 2, behavior });
}

/**
 * @param {Page} page
 * @param {Session} session
 * @param {{ load: () => void, redraw: () => void, go: Go }} acts
 */
function listen(page, session, { load, redraw, go }) {
  /** @param {HTMLElement} input  @param {() => void} set  @param {() => void} then */
  const on = (input, set, then) =>
    input.addEventListener("input", () => {
      set();
      then();
    });
  const { network } = session;
  on(page.text, () => Object.assign(network, { text: page.text.value }), load);
  on(page.cell, () => Object.assign(network, { cell: page.cell.value }), load);
  on(page.hidden, () => Object.assign(network, { hidden_size: Number(page.hidden.value) }), load);
  on(page.trained, () => Object.assign(network, { trained: Number(page.trained.value) }), load);
  on(page.gradients, () => Object.assign(session, { gradients: page.gradients.checked }), redraw);
  page.step.addEventListener("input", () => go(Number(page.step.value) - 1));
  page.back.addEventListener("click", () => go(session.step - 1));
  page.forward.addEventListener("click", () => go(session.step + 1));
  page.scroller.addEventListener("keydown", (event) => {
    const { step, unit } = session;
    /** @type {Record<string, [step: number, unit?: number]>} */
    const places = {
      ArrowLeft: [step - 1],
      ArrowRight: [step + 1],
      Home: [0],
      End: [Number.POSITIVE_INFINITY],
      ArrowUp: [step, unit - 1],
      ArrowDown: [step, unit + 1],
    };
    const to = places[event.key];
    if (!to) return;
    event.preventDefault();
    go(...to);
  });
}

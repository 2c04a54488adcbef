// @ts-check
// Shared by the views of runs that search for sentences: the run, the choice of beams, a
// sentence's score.

import { api } from "./calls.js";
import { el, empty, failure, options } from "./elements.js";
import { fixed, quoted } from "./formats.js";

/**
 * A run: whether it has attention, how wide a search may be, and a sentence to begin with.
 * @typedef {{ attention: boolean, beams: number[], example: string }} About
 */

/**
 * Returns the address of the view's requests and what it shows of the run; null, with a message, if
 * there
 * is nothing to show.
 * @param {HTMLElement} element
 * @param {string} run
 * @param {{ view: string, command: string }} of the command trains such runs
 * @returns {Promise<{ path: string, about: About } | null>}
 */
export async function searching(element, run, { view, command }) {
  if (!run) {
    const why = `Choose a run first: this view is for runs of ${quoted(command)}.`;
    element.replaceChildren(empty(why, "#/runs", "Runs"));
    return null;
  }
  const path = `/api/${view}/${encodeURIComponent(run)}`;
  try {
    return { path, about: await api(path) };
  } catch (error) {
    element.replaceChildren(failure(error));
    return null;
  }
}

/** @param {number[]} beams */
export const beamChoice = (beams) =>
  el(
    "select",
    {},
    ...options(
      beams.map((n) => [n, n === 1 ? "greedy" : `beam of ${n}`]),
      5,
    ),
  );

/**
 * Makes a hint if the run has no attention.
 * @param {About} about
 * @param {string} text
 */
export const noAttention = ({ attention }, text) =>
  attention ? [] : [el("p", { className: "hint" }, text)];

/** @param {number} value */
export const logP = (value) => `log p ${fixed(value, 2)}`;

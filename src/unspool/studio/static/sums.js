// @ts-check
// Computes the equations of a cell for one unit at one step, as the page writes them out.

import { number } from "./formats.js";

/**
 * A step's quantities by name, a number for each unit.
 * @typedef {Record<string, number[]>} State
 */

/**
 * The lesson of the Unrolled view: a network that has read a text.
 * @typedef {object} Lesson
 * @property {string} text
 * @property {string} cell
 * @property {string[]} gates of the weights' rows; a plain network has its state alone
 * @property {import("./quantities.js").Quantity[]} parts what a step computes, the state last
 * @property {number} hidden_size
 * @property {string[]} vocabulary
 * @property {Weights} weights
 * @property {Step[]} steps
 */

/**
 * @typedef {object} Weights
 * @property {number[][]} [w_ih] with the next two, of cells whose equations are known
 * @property {number[][]} [w_hh]
 * @property {number[]} [bias]
 * @property {number[][]} w_out
 * @property {number[]} [b_hn] of a GRU
 */

/**
 * @typedef {object} Step
 * @property {string} input
 * @property {string} target
 * @property {State} state
 * @property {number[]} scores
 * @property {number[]} probabilities
 * @property {number} nats
 * @property {number} gradient
 */

/** @param {number[]} a  @param {number[]} b */
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/**
 * Returns rows of {name, parts: [input, state, bias, sum], made}, and the lines that compute the
 * new state from them; none for a cell whose equations are not known.
 * @param {Lesson} lesson
 * @param {number} step
 * @param {number} unit
 */
export function unitSums(lesson, step, unit) {
  const { vocabulary, hidden_size: H, cell, gates, parts, steps } = lesson;
  const { w_ih, w_hh, bias: biases, b_hn } = lesson.weights;
  if (!w_ih || !w_hh || !biases) return { rows: [], last: [] };
  const now = steps[step].state;
  const zeros = Array(H).fill(0);
  /** @type {State} */
  const before = step ? steps[step - 1].state : { h: zeros, c: zeros };
  const id = vocabulary.indexOf(steps[step].input);
  const rows = gates.map((name, gate) => {
    const row = gate * H + unit;
    let state = dot(w_hh[row], before.h);
    // The reset comes after the product.
    if (b_hn && name === "n") state = now.r[unit] * (state + b_hn[unit]);
    const [input, bias] = [w_ih[row][id], biases[row]];
    const sum = input + state + bias;
    const isShare = parts.some((one) => one.name === name && one.range[0] === 0);
    const squash = isShare ? "\u03c3" : "tanh";
    const made = `${squash}(${number(sum)}) = ${number(now[name][unit])}`;
    return { name, parts: [input, state, bias, sum], made };
  });
  return { rows, last: ENDINGS[cell]?.(now, before, unit) ?? [] };
}

/**
 * Write how the gates make the new state.
 * @type {Record<string, (now: State, before: State, unit: number) => string[]>}
 */
const ENDINGS = {
  rnn: () => [],
  lstm: (now, before, u) => {
    const { f, i, g, c, o, h } = written(now, u);
    const was = written(before, u);
    return [
      `c = f \u00b7 c before + i \u00b7 g = ${f} \u00b7 ${was.c} + ${i} \u00b7 ${g} = ${c}`,
      `h = o \u00b7 tanh(c) = ${o} \u00b7 tanh(${c}) = ${h}`,
    ];
  },
  gru: (now, before, u) => {
    const { z, n, h } = written(now, u);
    const [rest, was] = [number(1 - now.z[u]), written(before, u)];
    const sum = `${rest} \u00b7 ${n} + ${z} \u00b7 ${was.h}`;
    return [`h = (1 \u2212 z) \u00b7 n + z \u00b7 h before = ${sum} = ${h}`];
  },
};

/** Formats one unit's quantities. @param {State} state  @param {number} unit */
const written = (state, unit) =>
  Object.fromEntries(Object.entries(state).map(([name, values]) => [name, number(values[unit])]));

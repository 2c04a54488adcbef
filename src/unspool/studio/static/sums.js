// Computes the equations of a cell for one unit at one step, as the page writes them out.

import { number } from "./graph.js";

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Returns rows of {name, parts: [input, state, bias, sum], made}, and the lines that compute the new state from them. */
export function unitSums(lesson, step, unit) {
  const { weights, vocabulary, hidden_size: H, cell, steps } = lesson;
  const now = steps[step].state;
  const zeros = Array(H).fill(0);
  const before = step ? steps[step - 1].state : { h: zeros, c: zeros };
  const id = vocabulary.indexOf(steps[step].input);
  const gates = { rnn: ["h"], lstm: ["i", "f", "g", "o"], gru: ["r", "z", "n"] }[cell];
  const rows = gates.map((name, gate) => {
    const row = gate * H + unit;
    let state = dot(weights.w_hh[row], before.h);
    if (name === "n") state = now.r[unit] * (state + weights.b_hn[unit]); // reset after the product
    const [input, bias] = [weights.w_ih[row][id], weights.bias[row]];
    const squash = name === "g" || name === "n" || name === "h" ? "tanh" : "\u03c3";
    const sum = input + state + bias;
    const stands = cell === "rnn" ? "h" : name;
    return {
      name: stands,
      parts: [input, state, bias, sum],
      made: `${squash}(${number(sum)}) = ${number(now[name][unit])}`,
    };
  });
  return { rows, last: endings[cell](now, before, unit) };
}

const endings = {
  rnn: () => [],
  lstm: ({ i, f, g, o, c, h }, before, u) => [
    `c = f \u00b7 c before + i \u00b7 g = ${number(f[u])} \u00b7 ${number(before.c[u])} + ${number(i[u])} \u00b7 ${number(g[u])} = ${number(c[u])}`,
    `h = o \u00b7 tanh(c) = ${number(o[u])} \u00b7 tanh(${number(c[u])}) = ${number(h[u])}`,
  ],
  gru: ({ z, n, h }, before, u) => [
    `h = (1 \u2212 z) \u00b7 n + z \u00b7 h before = ${number(1 - z[u])} \u00b7 ${number(n[u])} + ${number(z[u])} \u00b7 ${number(before.h[u])} = ${number(h[u])}`,
  ],
};

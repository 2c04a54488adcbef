// @ts-check
// The gates of each cell and what they are called.

/** @typedef {"rnn" | "lstm" | "gru"} Cell */

/**
 * The weights' rows, gate by gate; a plain network has its state alone.
 * @type {Record<Cell, string[]>}
 */
export const GATES = { rnn: ["h"], lstm: ["i", "f", "g", "o"], gru: ["r", "z", "n"] };

/** What a cell computes at a step, the state last. @type {Record<Cell, string[]>} */
export const QUANTITIES = { rnn: ["h"], lstm: [...GATES.lstm, "c", "h"], gru: [...GATES.gru, "h"] };

/** @type {Record<string, string>} */
export const NAMES = {
  h: "h, hidden state",
  c: "c, cell state",
  i: "i, input gate",
  f: "f, forget gate",
  g: "g, candidate",
  o: "o, output gate",
  r: "r, reset gate",
  z: "z, update gate",
  n: "n, candidate",
};

/** Says whether a quantity is from 0 to 1; the others are from -1 to 1. @param {string} quantity */
export const isShare = (quantity) => "ifozr".includes(quantity);

// The equations that the Unrolled view writes out, against the cells computed here.

import assert from "node:assert/strict";
import test from "node:test";
import { number } from "../../../src/unspool/studio/static/formats.js";
import { fromShade, toShade } from "../../../src/unspool/studio/static/quantities.js";
import { unitSums } from "../../../src/unspool/studio/static/sums.js";

const [H, VOCABULARY, TEXT] = [2, ["a", "b", "c"], "abca"];
const GATES = { rnn: ["h"], lstm: ["i", "f", "g", "o"], gru: ["r", "z", "n"] };
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Weights that are all different: row r, column c. */
const matrix = (rows, columns, shift) =>
  Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => Math.sin(3 * r + 7 * c + shift)),
  );

/** What the studio says of a cell's quantities: gates from 0 to 1, all else from -1 to 1. */
const parts = (cell) =>
  [...new Set([...GATES[cell], "c", "h"])].map((name) => ({
    name,
    range: "ifozr".includes(name) ? [0, 1] : [-1, 1],
  }));

/** One unit's sums over input, state and bias of every gate. */
function products(weights, gates, unit, id, h) {
  return Object.fromEntries(
    gates.map((name, gate) => {
      const row = gate * H + unit;
      const parts = [weights.w_ih[row][id], dot(weights.w_hh[row], h), weights.bias[row]];
      return [name, parts];
    }),
  );
}

/** One unit's quantities, from its products and the state before. */
function advance(cell, p, before, unit, b_hn) {
  const sum = ([input, state, bias]) => input + state + bias;
  if (cell === "rnn") return { h: Math.tanh(sum(p.h)) };
  if (cell === "lstm") {
    const [i, f, o] = ["i", "f", "o"].map((name) => sigmoid(sum(p[name])));
    const g = Math.tanh(sum(p.g));
    const c = f * before.c[unit] + i * g;
    return { i, f, g, o, c, h: o * Math.tanh(c) };
  }
  const [r, z] = ["r", "z"].map((name) => sigmoid(sum(p[name])));
  const n = Math.tanh(p.n[0] + p.n[2] + r * (p.n[1] + b_hn[unit]));
  return { r, z, n, h: (1 - z) * n + z * before.h[unit] };
}

function lesson(cell) {
  const rows = GATES[cell].length * H;
  const weights = {
    w_ih: matrix(rows, VOCABULARY.length, 1),
    w_hh: matrix(rows, H, 2),
    bias: matrix(1, rows, 3)[0],
    b_hn: matrix(1, H, 4)[0],
  };
  const steps = [];
  let before = { h: [0, 0], c: [0, 0] };
  for (const input of TEXT) {
    const units = [0, 1].map((unit) => {
      const id = VOCABULARY.indexOf(input);
      return advance(
        cell,
        products(weights, GATES[cell], unit, id, before.h),
        before,
        unit,
        weights.b_hn,
      );
    });
    const state = Object.fromEntries(
      Object.keys(units[0]).map((name) => [name, units.map((one) => one[name])]),
    );
    steps.push({ input, state });
    before = state;
  }
  return {
    cell,
    weights,
    steps,
    gates: GATES[cell],
    parts: parts(cell),
    vocabulary: VOCABULARY,
    hidden_size: H,
  };
}

for (const cell of ["rnn", "lstm", "gru"]) {
  test(`${cell}: every sum is that of its parts and becomes the gate`, () => {
    const made = lesson(cell);
    for (const [step, { state }] of made.steps.entries()) {
      for (const unit of [0, 1]) {
        const { rows } = unitSums(made, step, unit);
        assert.deepEqual(
          rows.map(({ name }) => name),
          GATES[cell],
        );
        for (const { name, parts, made: text } of rows) {
          const [input, recurrent, bias, sum] = parts;
          assert.ok(Math.abs(input + recurrent + bias - sum) < 1e-12);
          const squash = "hgn".includes(name) ? Math.tanh : sigmoid;
          assert.ok(Math.abs(squash(sum) - state[name][unit]) < 1e-12, `${name} at ${step}`);
          assert.ok(text.endsWith(`(${number(sum)}) = ${number(state[name][unit])}`), text);
        }
      }
    }
  });
}

test("the state before the first step is zero", () => {
  for (const { parts } of unitSums(lesson("lstm"), 0, 1).rows) assert.equal(parts[1], 0);
});

test("the new state is written with the numbers that make it", () => {
  const state = { i: [0.5], f: [0.25], g: [-0.5], o: [1], c: [0.25], h: [0.24] };
  const made = {
    ...lesson("lstm"),
    hidden_size: 1,
    vocabulary: ["a"],
    weights: { w_ih: matrix(4, 1, 1), w_hh: matrix(4, 1, 2), bias: [0, 0, 0, 0] },
    steps: [
      { input: "a", state: { ...state, c: [2] } },
      { input: "a", state },
    ],
  };
  assert.deepEqual(unitSums(made, 1, 0).last, [
    "c = f · c before + i · g = 0.25 · 2.00 + 0.50 · \u22120.50 = 0.25",
    "h = o · tanh(c) = 1.00 · tanh(0.25) = 0.24",
  ]);
  const gru = { r: [0], z: [0.25], n: [-1], h: [0.5] };
  const steps = [
    { input: "a", state: { ...gru, h: [2] } },
    { input: "a", state: gru },
  ];
  const named = { cell: "gru", gates: GATES.gru, parts: parts("gru") };
  assert.deepEqual(unitSums({ ...made, ...named, steps }, 1, 0).last, [
    "h = (1 \u2212 z) · n + z · h before = 0.75 · \u22121.00 + 0.25 · 2.00 = 0.50",
  ]);
});

test("a cell whose equations are not known has no sums", () => {
  const { steps, vocabulary } = lesson("rnn");
  const own = { cell: "mine:Cell", gates: ["h"], parts: parts("rnn"), weights: { w_out: [] } };
  const none = { rows: [], last: [] };
  assert.deepEqual(unitSums({ ...own, steps, vocabulary, hidden_size: H }, 1, 0), none);
});

test("values are shaded from end to end of their range, and back", () => {
  const cases = [
    [0, [0, 1], -1],
    [1, [0, 1], 1],
    [0.25, [0, 1], -0.5],
    [-0.3, [-1, 1], -0.3],
    [3, [0, 4], 0.5],
  ];
  for (const [value, range, shade] of cases) {
    assert.equal(toShade(value, range), shade);
    assert.ok(Math.abs(fromShade(shade, range) - value) < 1e-12);
  }
});

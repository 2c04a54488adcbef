// The heat map's means and its view of them.

import assert from "node:assert/strict";
import test from "node:test";
import { Pyramid } from "../../../src/unspool/studio/static/pyramid.js";
import { Viewport } from "../../../src/unspool/studio/static/viewport.js";

const [TOKENS, CELLS] = [37, 11];
const VALUES = Int8Array.from({ length: TOKENS * CELLS }, (_, i) =>
  Math.round(127 * Math.sin(i * i)),
);
const BASE = { values: VALUES, tokens: TOKENS, units: CELLS };
const ORDER = Int32Array.from({ length: CELLS }, (_, i) => (7 * i) % CELLS);

/** The mean over the units and tokens that a value of a level stands for. */
function mean(order, k, j, row, column) {
  let [sum, count] = [0, 0];
  for (let i = row * 2 ** j; i < Math.min(CELLS, (row + 1) * 2 ** j); i++) {
    for (let t = column * 2 ** k; t < Math.min(TOKENS, (column + 1) * 2 ** k); t++) {
      sum += VALUES[(order ? order[i] : i) * TOKENS + t];
      count++;
    }
  }
  return sum / count;
}

for (const order of [null, ORDER]) {
  test(`levels are means ${order ? "of units in another order" : "of neighbours"}`, () => {
    const pyramid = new Pyramid(BASE, order);
    for (const k of [0, 1, 3]) {
      for (const j of [0, 1, 2]) {
        const { values, tokens, units } = pyramid.level(k, j);
        assert.deepEqual([tokens, units], [Math.ceil(TOKENS / 2 ** k), Math.ceil(CELLS / 2 ** j)]);
        for (let row = 0; row < units; row++) {
          for (let column = 0; column < tokens - 1; column++) {
            // the last of an odd number is kept
            const wrong = values[row * tokens + column] - mean(order, k, j, row, column);
            assert.ok(Math.abs(wrong) <= 0.5 + k, `level ${k}, ${j}: ${row}, ${column}`);
          }
        }
      }
    }
    assert.equal(pyramid.level(3, 2), pyramid.level(3, 2)); // made once
  });
}

test("a level without means is the base, its rows in order", () => {
  assert.equal(new Pyramid(BASE).level(0, 0).values, VALUES);
  const { values } = new Pyramid(BASE, ORDER).level(0, 0);
  for (const [row, cell] of ORDER.entries()) {
    assert.deepEqual(
      values.slice(row * TOKENS, (row + 1) * TOKENS),
      VALUES.slice(cell * TOKENS, (cell + 1) * TOKENS),
    );
  }
});

function fitted(tokens, rows, width = 600, height = 200) {
  const view = new Viewport(tokens, rows);
  view.fit(width, height);
  return view;
}

test("at first a token has three pixels and all rows are visible", () => {
  const view = fitted(10_000, 512);
  assert.deepEqual([view.left, view.top, view.across], [0, 0, 3]);
  assert.equal(view.down * 512, 200);
});

test("a short text fills the width, but no token is wider than 24 pixels", () => {
  assert.equal(fitted(100, 8).across, 6);
  assert.equal(fitted(5, 3).across, 24);
});

test("what stands at a place is under it", () => {
  const view = fitted(1000, 50);
  view.zoom(3, 300, 100);
  view.pan(-150, -20);
  view.fit(600, 200);
  const [x, y] = view.at(60, 20);
  assert.deepEqual(view.under(x + 0.1, y + 0.1), { token: 60, row: 20 });
  assert.deepEqual(view.under(-1e6, 1e6), { token: 0, row: 49 });
});

test("zooming keeps the place under the pointer", () => {
  const view = fitted(1000, 50);
  const before = view.left + 300 / view.across;
  view.zoom(2, 300, 100);
  assert.ok(Math.abs(view.left + 300 / view.across - before) < 1e-9);
  for (let i = 0; i < 50; i++) view.zoom(0.5, 300, 100);
  view.fit(600, 200);
  assert.deepEqual([view.left, view.across * 1000], [0, 600]); // all of it, and no less
});

test("the view stays inside the grid", () => {
  const view = fitted(1000, 50);
  for (const [dx, dy] of [
    [1e5, 1e5],
    [-1e5, -1e5],
  ]) {
    view.pan(dx, dy);
    view.fit(600, 200);
    assert.ok(view.left >= 0 && view.left + 600 / view.across <= 1000 + 1e-9);
    assert.ok(view.top >= 0 && view.top + 200 / view.down <= 50 + 1e-9);
  }
});

test("revealing moves no further than it must", () => {
  const view = fitted(1000, 50); // 200 tokens
  view.reveal(150, 0);
  assert.equal(view.left, 0);
  view.reveal(300, 0);
  assert.equal(view.left, 101);
  view.reveal(50, 0);
  assert.equal(view.left, 50);
  view.centre(60);
  assert.equal(view.left, 50);
  view.centre(700);
  assert.equal(view.left, 600);
});

test("the visible values cover the picture at every zoom, with about one for a pixel", () => {
  for (const factor of [0.001, 0.3, 1, 2, 9]) {
    const view = fitted(10_000, 512);
    view.zoom(factor, 0, 0);
    view.pan(-333, -7);
    view.fit(600, 200);
    const [k, j] = view.level(1);
    const { token, row, tokens, rows } = view.visible(k, j);
    assert.ok(token * 2 ** k <= view.left && row * 2 ** j <= view.top);
    const right = Math.min(10_000, view.left + 600 / view.across);
    assert.ok((token + tokens) * 2 ** k >= right - 1e-9);
    assert.ok((row + rows) * 2 ** j >= Math.min(512, view.top + 200 / view.down) - 1e-9);
    assert.ok(tokens <= 602 && rows <= 202, `${tokens} by ${rows}`);
  }
});

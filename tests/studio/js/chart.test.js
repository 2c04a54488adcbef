// Scales, marks and lines of the charts; the plan of the unrolled graph; the squares of the tiles.

import assert from "node:assert/strict";
import test from "node:test";
import {
  extent,
  placeTicks,
  powerTicks,
  roundTicks,
} from "../../../src/unspool/studio/static/axis.js";
import { MARGINS, outline, scales } from "../../../src/unspool/studio/static/chart.js";
import { ranges, thinned } from "../../../src/unspool/studio/static/curve.js";
import { fixed, number, visible } from "../../../src/unspool/studio/static/formats.js";
import { plan } from "../../../src/unspool/studio/static/graph.js";
import { fitSquares } from "../../../src/unspool/studio/static/tiles.js";

const SIZE = { width: 570, height: 246 };

test("a chart goes from power to power of ten and from edge to edge", () => {
  const made = scales([{ values: [0.02, 3, null, 40], className: "" }], SIZE);
  assert.deepEqual([made.low, made.high, made.count], [-2, 2, 4]);
  assert.equal(made.y(100), MARGINS.top);
  assert.equal(made.y(0.01), SIZE.height - MARGINS.bottom);
  assert.equal(made.y(1), (MARGINS.top + SIZE.height - MARGINS.bottom) / 2);
  assert.equal(made.x(0), MARGINS.left);
  assert.equal(made.x(3), SIZE.width - MARGINS.right);
  for (const t of [0, 1, 2, 3]) assert.equal(made.at(made.x(t)), t);
  assert.deepEqual([made.at(-100), made.at(1e5)], [0, 3]);
});

test("a chart reaches down no further than 24 powers, and needs a value above 0", () => {
  assert.equal(scales([{ values: [1e-200, 1], className: "" }], SIZE).low, -24);
  assert.equal(scales([{ values: [0, null, Number.NaN, -1], className: "" }], SIZE), null);
});

test("a line has a gap where a value cannot be drawn", () => {
  const at = { x: (t) => t, y: (value) => value };
  assert.equal(outline([1, 2, 0, 3, null, 4, 5], at), "M0.0 1.0L1.0 2.0M3.0 3.0M5.0 4.0L6.0 5.0");
});

test("marks are round numbers inside the axis", () => {
  assert.deepEqual(roundTicks(0, 10), [0, 2, 4, 6, 8, 10]);
  for (const [low, high] of [
    [0.3, 0.9],
    [-4, 1e4],
    [1e-3, 2e-3],
  ]) {
    const found = roundTicks(low, high);
    assert.ok(found.length >= 2 && found.length <= 6, found.join());
    assert.ok(found.every((value) => value >= low && value <= high));
  }
  assert.deepEqual(roundTicks(7, 7), [7]);
  assert.deepEqual(powerTicks(-2, 1), [1, 0, -1, -2]);
  assert.ok(powerTicks(-24, 0).length <= 9);
  assert.deepEqual(placeTicks(5, 10), [4, 3, 2, 1, 0]);
  assert.deepEqual(placeTicks(101, 11), [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
  assert.deepEqual(extent([3, -1, 2]), [-1, 3]);
});

test("a loss curve's first steps do not flatten the rest", () => {
  const points = [[1, 100], ...Array.from({ length: 99 }, (_, i) => [10 * (i + 1), 2 - i / 100])];
  const { steps, losses } = ranges([{ points }], false);
  assert.deepEqual(steps, [1, 990]);
  assert.deepEqual(losses, [2 - 98 / 100, 2 - 1 / 100]);
  assert.deepEqual(ranges([{ points: [[5, Math.E]] }], true).losses, [1, 1]);
});

test("thinned points are means of their neighbours", () => {
  const points = Array.from({ length: 10 }, (_, i) => [i, i]);
  assert.equal(thinned(points, 10), points);
  assert.deepEqual(thinned(points, 4), [
    [2, 1],
    [5, 4],
    [8, 7],
    [9, 9],
  ]);
});

test("numbers have about four places and a minus sign", () => {
  assert.deepEqual([1.234, -12.34, 123.4, 0].map(number), ["1.23", "\u221212.3", "123", "0.00"]);
  assert.equal(fixed(-0.5, 3), "\u22120.500");
  assert.equal(visible("a b\n\t"), "a\u2423b\u21b5\u21e5");
});

for (const count of [1, 4, 6]) {
  test(`the plan of ${count} quantities: rows below one another, steps beside one another`, () => {
    const parts = Array(count).fill({ name: "h", range: [-1, 1] });
    const lesson = { parts, vocabulary: ["a", "b", "c"], hidden_size: 4, steps: Array(5) };
    const { y, height, width, column, inner, V, H } = plan(lesson);
    assert.deepEqual([V, H], [3, 4]);
    const row = 20;
    const begins = [y.loss, y.target, y.scores, y.hidden, y.input, y.char, height];
    const rows = [1, 1, V, H, V, 0];
    for (const [i, count] of rows.entries())
      assert.ok(begins[i] + count * row <= begins[i + 1] + 2, `row ${i}`);
    assert.ok(inner >= count * 38);
    assert.ok(width >= 5 * column);
  });
}

test("tiles fit into the width, and are neither too small nor too large", () => {
  for (const count of [1, 8, 100, 512, 4096]) {
    for (const width of [90, 320, 800]) {
      const { side, columns } = fitSquares(count, width);
      assert.ok(side >= 9 && side <= 26);
      assert.ok(columns * (side + 2) - 2 <= width);
    }
  }
});

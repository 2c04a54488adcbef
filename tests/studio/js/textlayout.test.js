// Lines, columns and places of a coloured text.

import assert from "node:assert/strict";
import test from "node:test";
import { layout, TextPlaces } from "../../../src/unspool/studio/static/textlayout.js";

const lines = (text, columns) =>
  layout([...text], columns).map((line) => line.map((one) => one.text).join(""));

test("lines break after a blank, or else where they are full", () => {
  assert.deepEqual(lines("one two three four", 10), ["one two ", "three four"]);
  assert.deepEqual(lines("abcdefghijkl", 5), ["abcde", "fghij", "kl"]);
  // Broken after the blank, most of the line would be empty.
  assert.deepEqual(lines("a bcdefghij", 9), ["a bcdefgh", "ij"]);
});

test("the text's own line breaks end a line and fit into a full one", () => {
  assert.deepEqual(lines("abcde\nf\n\ng", 5), ["abcde\n", "f\n", "\n", "g"]);
});

test("tabs go to every fourth column, wide characters take two, accents none", () => {
  const [line] = layout([..."a\tb日e\u0301x"], 40);
  assert.deepEqual(
    line.map(({ text, column, width }) => [text, column, width]),
    [
      ["a", 0, 1],
      ["\t", 1, 3],
      ["b", 4, 1],
      ["日", 5, 2],
      ["e", 7, 1],
      ["\u0301", 8, 0],
      ["x", 8, 1],
    ],
  );
});

test("a tab that is carried to the next line is as wide as it is there", () => {
  const broken = layout([..."aaaa b\tcc"], 8);
  for (const line of broken) {
    for (const { text, column, width } of line) {
      if (text === "\t") assert.equal(width, 4 - (column % 4));
    }
  }
});

const RANDOM =
  "for (i = 0;\ti < n; i++)\n\n  日本語 a\u0308b — words of some length here\t\t}\n".repeat(7);

test("no character is lost and no line is too long, whatever the width", () => {
  for (let columns = 4; columns < 60; columns++) {
    const broken = layout([...RANDOM], columns);
    assert.equal(
      broken
        .flat()
        .map(({ text }) => text)
        .join(""),
      RANDOM,
    );
    for (const line of broken) {
      let next = 0;
      for (const { text, column, width } of line) {
        assert.equal(column, next);
        next += width;
        if (text !== "\n")
          assert.ok(next <= columns, `${columns}: ${line.map((one) => one.text).join("")}`);
      }
    }
  }
});

test("every place has the token that stands there", () => {
  const tokens = ["The ", "whe", "el ", "", "spins ", "round\n", "and", " round"];
  const places = new TextPlaces(tokens, 10);
  assert.deepEqual(
    places.lines.map((line) => line.map((one) => one.text).join("")),
    ["The wheel ", "spins ", "round\n", "and round"],
  );
  assert.equal(places.rows, 4);
  assert.deepEqual([...places.starts], [0, 4, 7, -1, 10, 20, 30, 33]);
  assert.deepEqual(
    [...places.tokenAt.slice(0, 17)],
    [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 4, 4, 4, 4, 4, 4, -1],
  );
});

// Lines: "ab cde\n", " fghi\n", "j\n", "klmnop".
const PLACES = new TextPlaces(["ab ", "cde\n", " fgh", "i\n", "j\n", "klmnop"], 8);

test("the nearest token of a line, also right of its end", () => {
  assert.equal(PLACES.nearest(0, 4), 1);
  assert.equal(PLACES.nearest(2, 5), 4);
  assert.equal(PLACES.nearest(1, 99), 3);
});

test("up and down keep the column and stop at the first and the last line", () => {
  assert.equal(PLACES.vertical(1, 1), 2); // below "cde" stands " fgh"
  assert.equal(PLACES.vertical(1, 2), 4);
  assert.equal(PLACES.vertical(1, -5), 1);
  assert.equal(PLACES.vertical(0, 99), 5);
});

test("a span has a part in every line, and a token is as wide as its columns", () => {
  assert.deepEqual(PLACES.span(1, 2), [
    { at: 3, width: 4 },
    { at: 8, width: 4 },
  ]);
  assert.deepEqual(PLACES.span(4, 4), [{ at: 16, width: 2 }]);
  assert.deepEqual(
    [0, 1, 5].map((token) => PLACES.widthOf(token)),
    [3, 4, 6],
  );
});

test("characters before a line are those of the text", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((row) => PLACES.charactersBefore(row)),
    [0, 7, 13, 15],
  );
});

test("a text without tokens has one empty row", () => {
  const places = new TextPlaces([], 20);
  assert.equal(places.rows, 1);
  assert.equal(places.nearest(0, 3), -1);
});

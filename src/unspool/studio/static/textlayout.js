// @ts-check
// Breaks a text in a monospaced font into lines: the place of every character and token.

import { clamp } from "./canvas.js";

const TAB = 4;
// Each one column wide.
const SIMPLE = /^[\t\n\x20-\x7e\u00a0-\u017f\u0370-\u03ff\u0400-\u04ff\u2010-\u2027]*$/;
const SCRIPTS = ["Han", "Hiragana", "Katakana", "Hangul"].map((name) => `\\p{Script=${name}}`);
const WIDE = new RegExp(`${SCRIPTS.join("|")}|\\p{Emoji_Presentation}|[\uff01-\uff60]`, "u");
const NARROW = /\p{Mark}|\u200b|\u200d|\ufe0f/u; // no column wide

/**
 * A character, the token that it is of, its first column and how many it takes.
 * @typedef {{ text: string, token: number, column: number, width: number }} Character
 */

/** Says whether a browser gives each character of a text one column. @param {string} text */
export const isSimple = (text) => SIMPLE.test(text);

/**
 * Returns lines, broken after a space if there is one.
 * @param {string[]} tokens
 * @param {number} columns
 */
export function layout(tokens, columns) {
  /** @type {Character[][]} */
  const lines = [];
  /** @type {Character[]} */
  let line = [];
  let column = 0;
  const end = () => {
    lines.push(line);
    line = [];
    column = 0;
  };
  /** @param {string} text  @param {number} token */
  const push = (text, token) => {
    if (column + widthAt(text, column) > columns && text !== "\n") {
      const kept = line;
      const at = kept.findLastIndex(({ text }) => text === " " || text === "\t") + 1;
      const carried = at > kept.length / 3 ? kept.splice(at) : [];
      end();
      for (const one of carried) push(one.text, one.token);
    }
    const width = widthAt(text, column);
    line.push({ text, token, column, width });
    column += width;
    if (text === "\n") end();
  };
  for (const [token, text] of tokens.entries()) {
    for (const char of text) push(char, token);
  }
  if (line.length) end();
  return lines;
}

/**
 * Returns how many columns a character takes that begins at `column`.
 * @param {string} text
 * @param {number} column
 */
function widthAt(text, column) {
  if (text === "\t") return TAB - (column % TAB);
  if (NARROW.test(text)) return 0;
  return WIDE.test(text) ? 2 : 1;
}

/** Tokens and places: a place is row * columns + column. */
export class TextPlaces {
  /** @param {string[]} tokens  @param {number} columns */
  constructor(tokens, columns) {
    this.columns = columns;
    this.lines = layout(tokens, columns);
    const rows = Math.max(1, this.lines.length);
    /** The token at every place, -1 at those of none. */
    this.tokenAt = new Int32Array(columns * rows).fill(-1);
    /** The first place of every token, -1 for a token without characters. */
    this.starts = new Int32Array(tokens.length).fill(-1);
    for (const [row, line] of this.lines.entries()) {
      for (const { token, column, width } of line) {
        const at = row * columns + column;
        if (this.starts[token] < 0) this.starts[token] = at;
        this.tokenAt.fill(token, at, Math.min(at + width, (row + 1) * columns));
      }
    }
  }

  get rows() {
    return this.tokenAt.length / this.columns;
  }

  /**
   * Returns the token at a place, or the line's last before it; -1 if the line has none.
   * @param {number} row
   * @param {number} column
   */
  nearest(row, column) {
    let at = row * this.columns + clamp(column, 0, this.columns - 1);
    while (this.tokenAt[at] < 0 && at > row * this.columns) at--;
    return this.tokenAt[at];
  }

  /**
   * Returns the token some lines above (below 0) or below another.
   * @param {number} token
   * @param {number} lines
   */
  vertical(token, lines) {
    const at = this.starts[token];
    const row = clamp(Math.floor(at / this.columns) + lines, 0, this.lines.length - 1);
    return this.nearest(row, at % this.columns);
  }

  /** Returns how many columns a token takes in the line that it begins in. @param {number} token */
  widthOf(token) {
    const at = this.starts[token];
    let width = 0;
    while (this.tokenAt[at + width] === token && (at + width) % this.columns >= at % this.columns)
      width++;
    return Math.max(1, width);
  }

  /**
   * Returns the part of every line that belongs to the tokens from `first` to `last`.
   * @param {number} first  @param {number} last
   */
  span(first, last) {
    return this.lines.flatMap((line, row) => {
      const inside = line.filter(({ token }) => token >= first && token <= last);
      if (!inside.length) return [];
      const [begin, end] = [inside[0], inside[inside.length - 1]];
      return [
        { at: row * this.columns + begin.column, width: end.column + end.width - begin.column },
      ];
    });
  }

  /** Returns how many characters of the text are before a line. @param {number} row */
  charactersBefore(row) {
    return this.lines
      .slice(0, row)
      .flat()
      .reduce((sum, { text }) => sum + text.length, 0);
  }
}

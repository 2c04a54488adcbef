// @ts-check
// The visible part of a grid of tokens (across) and rows (down), and its scale.

import { clamp } from "./canvas.js";

const WIDEST = 24; // pixels per token or row, zoomed in
const FIRST = 3; // pixels per token at first

export class Viewport {
  /**
   * Shows all rows, and tokens FIRST pixels wide.
   * @param {number} tokens
   * @param {number} rows
   */
  constructor(tokens, rows) {
    this.tokens = tokens;
    this.rows = rows;
    this.width = this.height = 0; // in CSS pixels
    this.left = this.top = 0; // the first visible token and row
    this.across = FIRST; // pixels per token
    this.down = 0; // pixels per row; 0: as many rows as fit
    this.least = { across: 0, down: 0 };
  }

  /**
   * Keeps the view inside the grid, in a picture of this size.
   * @param {number} width
   * @param {number} height
   */
  fit(width, height) {
    const { tokens, rows } = this;
    Object.assign(this, { width, height });
    this.least = {
      across: Math.min(WIDEST, width / tokens),
      down: Math.min(WIDEST, height / rows),
    };
    this.across = clamp(this.across || this.least.across, this.least.across, WIDEST);
    this.down = clamp(this.down || this.least.down, this.least.down, WIDEST);
    this.left = clamp(this.left, 0, Math.max(0, tokens - width / this.across));
    this.top = clamp(this.top, 0, Math.max(0, rows - height / this.down));
  }

  /** Returns where a token and a row are. @param {number} token  @param {number} row */
  at(token, row) {
    return [(token - this.left) * this.across, (row - this.top) * this.down];
  }

  /** Returns the token and the row at a place. @param {number} x  @param {number} y */
  under(x, y) {
    return {
      token: clamp(Math.floor(this.left + x / this.across), 0, this.tokens - 1),
      row: clamp(Math.floor(this.top + y / this.down), 0, this.rows - 1),
    };
  }

  /**
   * Returns the level of a pyramid with about one value per pixel.
   * @param {number} scale pixels of the screen for one of CSS
   */
  level(scale) {
    return [this.across, this.down].map((size) => Math.max(0, Math.ceil(-Math.log2(size * scale))));
  }

  /**
   * Returns which values of a level are visible: the first token and row, and how many.
   * @param {number} k  @param {number} j the level: a value stands for 2^k tokens and 2^j rows
   */
  visible(k, j) {
    const [wide, high] = [2 ** k, 2 ** j];
    const [token, row] = [Math.floor(this.left / wide), Math.floor(this.top / high)];
    const last = [
      (this.left + this.width / this.across) / wide,
      (this.top + this.height / this.down) / high,
    ];
    return {
      token,
      row,
      tokens: Math.min(Math.ceil(this.tokens / wide), Math.ceil(last[0])) - token,
      rows: Math.min(Math.ceil(this.rows / high), Math.ceil(last[1])) - row,
    };
  }

  /** Scrolls a token to the middle unless it is visible. @param {number} token */
  centre(token) {
    const visible = this.width / this.across;
    if (token < this.left || token >= this.left + visible) this.left = token - visible / 2;
  }

  /**
   * Scrolls just far enough to show a token and a row.
   * @param {number} token
   * @param {number} row
   */
  reveal(token, row) {
    this.left = clamp(this.left, token + 1 - this.width / this.across, token);
    this.top = clamp(this.top, row + 1 - this.height / this.down, row);
  }

  /**
   * Zooms by a factor around a place.
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoom(factor, x, y) {
    const [token, row] = [this.left + x / this.across, this.top + y / this.down];
    this.across = clamp(this.across * factor, this.least.across, WIDEST);
    // Rows grow only once tokens are wide, since time is the long axis.
    if (factor < 1 || this.across > 3)
      this.down = clamp(this.down * factor, this.least.down, WIDEST);
    this.left = token - x / this.across;
    this.top = row - y / this.down;
  }

  /** @param {number} dx  @param {number} dy */
  pan(dx, dy) {
    this.left -= dx / this.across;
    this.top -= dy / this.down;
  }
}

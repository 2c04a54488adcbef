// @ts-check
// A matrix of attention weights: a row for each token written, a column for each token read.

import { clamp, place, Sheet } from "./canvas.js";
import { css, onTheme } from "./colours.js";

const [SMALLEST, LARGEST] = [16, 34];
const SLOPE = Math.PI / 4; // angle of the column names

/** @typedef {(row: number, column: number, weight: number) => void} OnRead */

export class Matrix {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ onRead: OnRead }} events `onRead`: the pointer or an arrow key chose a place
   */
  constructor(canvas, { onRead }) {
    this.canvas = canvas;
    this.onRead = onRead;
    /** @type {string[]} */
    this.rows = [];
    /** @type {string[]} */
    this.columns = [];
    /** @type {number[][]} */
    this.weights = [];
    this.at = [0, 0];
    this.left = this.top = this.side = 0; // of the squares, in pixels
    this.font = "";
    this.sheet = new Sheet(canvas, (context, width, height) => this.paint(context, width, height));
    this.stopTheme = onTheme(() => this.sheet.redraw());
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * Shows `weights[row][column]`, in 0..1.
   * @param {string[]} rows
   * @param {string[]} columns
   * @param {number[][]} weights
   */
  set(rows, columns, weights) {
    Object.assign(this, { rows, columns, weights, at: [0, 0] });
    this.measure();
    this.sheet.redraw();
    this.tell();
  }

  /** Makes room for the names, and the squares as large as fit. */
  measure() {
    const { context, canvas } = this.sheet;
    context.font = this.font = `13px ${getComputedStyle(canvas).fontFamily}`;
    /** @param {string[]} words */
    const widest = (words) => Math.max(0, ...words.map((word) => context.measureText(word).width));
    this.left = widest(this.rows) + 10;
    this.top = widest(this.columns) * Math.sin(SLOPE) + 16;
    const overhang = widest(this.columns) * Math.cos(SLOPE);
    const room = (canvas.parentElement?.clientWidth ?? 0) - this.left - overhang;
    this.side = clamp(Math.floor(room / Math.max(1, this.columns.length)), SMALLEST, LARGEST);
    canvas.style.width = `${Math.ceil(this.left + this.side * this.columns.length + overhang)}px`;
    canvas.style.height = `${Math.ceil(this.top + this.side * this.rows.length + 4)}px`;
  }

  /** @param {CanvasRenderingContext2D} context  @param {number} width  @param {number} height */
  paint(context, width, height) {
    const style = getComputedStyle(this.canvas);
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, width, height);
    context.font = this.font;
    this.paintSquares(context, style.color);
    this.paintNames(context);
    const { left, top, side, at } = this;
    context.lineWidth = 2;
    if (this.rows.length)
      context.strokeRect(left + at[1] * side, top + at[0] * side, side - 1, side - 1);
  }

  /** @param {CanvasRenderingContext2D} context  @param {string} ink */
  paintSquares(context, ink) {
    const { left, top, side } = this;
    this.visit((r, c, weight) => {
      context.fillStyle = css(-weight, 1);
      context.fillRect(left + c * side, top + r * side, side - 1, side - 1);
    });
    context.fillStyle = context.strokeStyle = ink;
    context.globalAlpha = 0.12;
    context.lineWidth = 1;
    this.visit((r, c) => {
      context.strokeRect(left + c * side + 0.5, top + r * side + 0.5, side - 2, side - 2);
    });
    context.globalAlpha = 1;
  }

  /** @param {OnRead} visitor */
  visit(visitor) {
    for (const [r, row] of this.weights.entries()) {
      for (const [c, weight] of row.entries()) visitor(r, c, weight);
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  paintNames(context) {
    const { left, top, side, at } = this;
    context.textAlign = "right";
    for (const [r, word] of this.rows.entries()) {
      this.name(context, word, {
        x: left - 8,
        y: top + (r + 0.5) * side + 4,
        angle: 0,
        chosen: r === at[0],
      });
    }
    context.textAlign = "left";
    for (const [c, word] of this.columns.entries()) {
      this.name(context, word, {
        x: left + (c + 0.55) * side,
        y: top - 6,
        angle: -SLOPE,
        chosen: c === at[1],
      });
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string} word
   * @param {{ x: number, y: number, angle: number, chosen: boolean }} place
   */
  name(context, word, { x, y, angle, chosen }) {
    context.save();
    context.translate(x, y);
    context.rotate(angle);
    context.font = chosen ? `bold ${this.font}` : this.font;
    context.fillText(word, 0, 0);
    context.restore();
  }

  /** @param {PointerEvent} event */
  point(event) {
    const [x, y] = place(event, this.canvas);
    const [c, r] = [
      Math.floor((x - this.left) / this.side),
      Math.floor((y - this.top) / this.side),
    ];
    if (r >= 0 && r < this.rows.length && c >= 0 && c < this.columns.length) this.go(r, c);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
      event.key
    ];
    if (!step || !this.rows.length) return;
    event.preventDefault();
    const [row, column] = [this.at[0] + step[0], this.at[1] + step[1]];
    this.go(clamp(row, 0, this.rows.length - 1), clamp(column, 0, this.columns.length - 1));
  }

  /** @param {number} row  @param {number} column */
  go(row, column) {
    this.at = [row, column];
    this.sheet.redraw();
    this.tell();
  }

  tell() {
    const [row, column] = this.at;
    if (this.rows.length) this.onRead(row, column, this.weights[row][column]);
  }

  end() {
    this.stopTheme();
    this.sheet.end();
  }
}

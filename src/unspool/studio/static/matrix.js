// A matrix of attention weights: a row for each token written, a column for each token read.

import { Sheet, clamp, place } from "./canvas.js";
import { css, onTheme } from "./colours.js";

const [SMALLEST, LARGEST] = [16, 34];
const SLOPE = Math.PI / 4; // angle of the column names

export class Matrix {
  /** `onRead(row, column)`: the place under the pointer or the arrow keys; null outside. */
  constructor(canvas, { onRead }) {
    Object.assign(this, { canvas, onRead, rows: [], columns: [], weights: [], at: [0, 0] });
    this.sheet = new Sheet(canvas, (context, width, height) => this.paint(context, width, height));
    this.stopTheme = onTheme(() => this.sheet.redraw());
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows `weights[row][column]`, in 0..1. */
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
    const widest = (words) => Math.max(0, ...words.map((word) => context.measureText(word).width));
    this.left = widest(this.rows) + 10;
    this.top = widest(this.columns) * Math.sin(SLOPE) + 16;
    const overhang = widest(this.columns) * Math.cos(SLOPE);
    const room = canvas.parentElement.clientWidth - this.left - overhang;
    this.side = clamp(Math.floor(room / Math.max(1, this.columns.length)), SMALLEST, LARGEST);
    canvas.style.width = `${Math.ceil(this.left + this.side * this.columns.length + overhang)}px`;
    canvas.style.height = `${Math.ceil(this.top + this.side * this.rows.length + 4)}px`;
  }

  paint(context, width, height) {
    const { left, top, side, at } = this;
    const style = getComputedStyle(this.canvas);
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, width, height);
    context.font = this.font;
    this.weights.forEach((row, r) => {
      row.forEach((weight, c) => {
        context.fillStyle = css(-weight, 1);
        context.fillRect(left + c * side, top + r * side, side - 1, side - 1);
      });
    });
    context.fillStyle = context.strokeStyle = style.color;
    context.globalAlpha = 0.12;
    context.lineWidth = 1;
    this.weights.forEach((row, r) =>
      row.forEach((_, c) =>
        context.strokeRect(left + c * side + 0.5, top + r * side + 0.5, side - 2, side - 2),
      ),
    );
    context.globalAlpha = 1;
    context.textAlign = "right";
    this.rows.forEach((word, r) =>
      this.name(context, word, left - 8, top + (r + 0.5) * side + 4, r === at[0], 0),
    );
    context.textAlign = "left";
    this.columns.forEach((word, c) =>
      this.name(context, word, left + (c + 0.55) * side, top - 6, c === at[1], -SLOPE),
    );
    context.lineWidth = 2;
    if (this.rows.length)
      context.strokeRect(left + at[1] * side, top + at[0] * side, side - 1, side - 1);
  }

  name(context, word, x, y, chosen, angle) {
    context.save();
    context.translate(x, y);
    context.rotate(angle);
    context.font = chosen ? `bold ${this.font}` : this.font;
    context.fillText(word, 0, 0);
    context.restore();
  }

  point(event) {
    const [x, y] = place(event, this.canvas);
    const [c, r] = [
      Math.floor((x - this.left) / this.side),
      Math.floor((y - this.top) / this.side),
    ];
    if (r >= 0 && r < this.rows.length && c >= 0 && c < this.columns.length) this.go(r, c);
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
      event.key
    ];
    if (!step || !this.rows.length) return;
    event.preventDefault();
    this.go(
      clamp(this.at[0] + step[0], 0, this.rows.length - 1),
      clamp(this.at[1] + step[1], 0, this.columns.length - 1),
    );
  }

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

// @ts-check
// All units of a layer as small squares, each with a value, one of them chosen.

import { clamp, place, Sheet } from "./canvas.js";
import { onTheme, table } from "./colours.js";

const [SMALLEST, LARGEST, GAP] = [9, 26, 2];

/**
 * Makes squares as large as fit into the width of the box and about this height.
 * @param {number} count
 * @param {number} width
 */
export function fitSquares(count, width) {
  const room = Math.sqrt((width * Math.min(360, width)) / count) - GAP;
  const side = clamp(Math.floor(room), SMALLEST, LARGEST);
  return { side, columns: Math.max(1, Math.floor((width + GAP) / (side + GAP))) };
}

export class Tiles {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ onPick: (unit: number) => void, onHover: (unit: number | null) => void }} events
   *   `onPick`: a click or an arrow key
   */
  constructor(canvas, { onPick, onHover }) {
    this.canvas = canvas;
    this.onPick = onPick;
    /** @type {Int8Array} */
    this.values = new Int8Array(0);
    this.chosen = 0;
    /** @type {Int32Array} */
    this.order = new Int32Array(0);
    this.side = SMALLEST;
    this.columns = 1;
    /** @type {Uint32Array | null} */
    this.colours = null;
    this.sheet = new Sheet(canvas, (context, width) => this.paint(context, width));
    this.stopTheme = onTheme(() => {
      this.colours = null;
      this.sheet.redraw();
    });
    canvas.addEventListener("pointermove", (event) => onHover(this.under(event)));
    canvas.addEventListener("pointerleave", () => onHover(null));
    canvas.addEventListener("click", (event) => {
      const unit = this.under(event);
      if (unit !== null) onPick(unit);
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {Int8Array} values one per unit
   * @param {number} chosen
   * @param {Int32Array | null} order `order[place]` is a unit; null for that of their numbers
   */
  set(values, chosen, order) {
    this.values = values;
    this.chosen = chosen;
    this.order = order?.length === values.length ? order : Int32Array.from(values, (_, i) => i);
    this.fit(this.canvas.getBoundingClientRect().width);
    this.sheet.redraw();
  }

  /** @param {number} width */
  fit(width) {
    const count = this.values.length;
    if (!width || !count) return;
    Object.assign(this, fitSquares(count, width));
    const height = `${Math.ceil(count / this.columns) * (this.side + GAP)}px`;
    if (this.canvas.style.height !== height) this.canvas.style.height = height;
  }

  /** @param {CanvasRenderingContext2D} context  @param {number} width */
  paint(context, width) {
    if (!this.values.length) return;
    this.fit(width);
    const { side, columns, chosen } = this;
    const style = getComputedStyle(this.canvas);
    this.colours ??= table();
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, width, this.canvas.height);
    for (const [at, unit] of this.order.entries()) {
      const [x, y] = [(at % columns) * (side + GAP), Math.floor(at / columns) * (side + GAP)];
      const pixel = this.colours[this.values[unit] + 128];
      context.fillStyle = `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
      context.fillRect(x, y, side, side);
      if (unit !== chosen) continue;
      context.strokeStyle = style.color;
      context.lineWidth = 2;
      context.strokeRect(x + 1, y + 1, side - 2, side - 2);
    }
  }

  /** @param {MouseEvent} event */
  under(event) {
    const [x, y] = place(event, this.canvas);
    const column = Math.floor(x / (this.side + GAP));
    const at = Math.floor(y / (this.side + GAP)) * this.columns + column;
    return column < this.columns && at >= 0 && at < this.values.length ? this.order[at] : null;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey || !this.values.length) return;
    const at = this.order.indexOf(this.chosen);
    const to = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - this.columns,
      ArrowDown: at + this.columns,
      Home: 0,
      End: this.values.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to < this.values.length) this.onPick(this.order[to]);
  }

  end() {
    this.stopTheme();
    this.sheet.end();
  }
}

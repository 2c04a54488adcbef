// All units of a layer as small squares, each with a value, one of them chosen.

import { Sheet, clamp, place } from "./canvas.js";
import { onTheme, table } from "./colours.js";

const [SMALLEST, LARGEST, GAP] = [9, 26, 2];

export class Tiles {
  /** `onPick(unit)`: a click or an arrow key; `onHover(unit or null)`. */
  constructor(canvas, { onPick, onHover }) {
    Object.assign(this, {
      canvas,
      onPick,
      onHover,
      values: new Int8Array(0),
      chosen: 0,
      order: null,
    });
    this.sheet = new Sheet(canvas, (context, width) => this.paint(context, width));
    this.stopTheme = onTheme(() => {
      this.colours = null;
      this.sheet.redraw();
    });
    canvas.addEventListener("pointermove", (event) => onHover(this.under(event)));
    canvas.addEventListener("pointerleave", () => onHover(null));
    canvas.addEventListener(
      "click",
      (event) => this.under(event) !== null && onPick(this.under(event)),
    );
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows int8 values, one per unit; `order[place]` is a unit. */
  set({ values = this.values, chosen = this.chosen, order = this.order }) {
    const count = values.length;
    const kept =
      order && order.length === count ? order : Int32Array.from({ length: count }, (_, i) => i);
    Object.assign(this, { values, chosen, order: kept });
    this.fit();
    this.sheet.redraw();
  }

  /** Makes squares as large as fit into the width of the box and about this height. */
  fit(width = this.canvas.getBoundingClientRect().width) {
    const count = this.values.length;
    if (!width || !count) return;
    const room = Math.sqrt((width * Math.min(360, width)) / count) - GAP;
    this.side = clamp(Math.floor(room), SMALLEST, LARGEST);
    this.columns = Math.max(1, Math.floor((width + GAP) / (this.side + GAP)));
    const height = Math.ceil(count / this.columns) * (this.side + GAP);
    if (this.canvas.style.height !== `${height}px`) this.canvas.style.height = `${height}px`;
  }

  paint(context, width) {
    if (!this.order) return;
    this.fit(width);
    const style = getComputedStyle(this.canvas);
    const colours = (this.colours ??= table());
    const step = this.side + GAP;
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, width, this.canvas.height);
    this.order.forEach((unit, at) => {
      const [x, y] = [(at % this.columns) * step, Math.floor(at / this.columns) * step];
      const pixel = colours[this.values[unit] + 128];
      context.fillStyle = `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
      context.fillRect(x, y, this.side, this.side);
      if (unit !== this.chosen) return;
      context.strokeStyle = style.color;
      context.lineWidth = 2;
      context.strokeRect(x + 1, y + 1, this.side - 2, this.side - 2);
    });
  }

  under(event) {
    const [x, y] = place(event, this.canvas);
    const column = Math.floor(x / (this.side + GAP));
    const at = Math.floor(y / (this.side + GAP)) * this.columns + column;
    return column < this.columns && at >= 0 && at < this.values.length ? this.order[at] : null;
  }

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

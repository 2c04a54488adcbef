// Values of units over time: a column per token, a row per unit. Pan by dragging, zoom with the wheel or keys.
//
// Only what is visible is drawn. Zoomed out, a pixel is the mean over 2^k tokens (and 2^j units): the means are computed
// once per level, so that a frame costs as much as the pixels on the screen, however long the text is.

import { Sheet, clamp, place } from "./canvas.js";
import { onTheme, table } from "./colours.js";

const WIDEST = 24; // pixels per token or unit, zoomed in
const FIRST = 3; // pixels per token at first

export class HeatMap {
  /** `onPick(token, unit)`: a click or an arrow key chose a token and a unit. */
  constructor(canvas, { onPick, onHover = () => {} }) {
    Object.assign(this, { canvas, onPick, onHover });
    this.small = document.createElement("canvas").getContext("2d", { alpha: false });
    this.sheet = new Sheet(canvas, (context, width, height) => this.paint(context, width, height));
    this.stopTheme = onTheme(() => this.recolour());
    this.order = null;
    this.colours = table();
    this.listen();
  }

  /** Shows int8 `values` [H, T], unit by unit; `order` puts units into rows. */
  set(values, tokens, units) {
    const same = this.tokens === tokens && this.units === units;
    Object.assign(this, { tokens, units, base: { values, tokens, units }, levels: new Map() });
    if (!same) {
      this.order = null;
      this.cursor = { token: 0, row: 0 };
      this.left = this.top = 0;
      this.across = FIRST; // pixels per token and per unit
      this.down = 0; // as many as fit
    }
    this.sheet.redraw();
  }

  /** Reorders the rows: `order[row]` is a unit. */
  arrange(order) {
    this.order = order;
    this.levels = new Map();
    this.sheet.redraw();
  }

  /** Marks a token and a unit, and scrolls to the token. */
  mark(token, unit) {
    const row = this.order ? this.order.indexOf(unit) : unit;
    this.cursor = { token, row };
    const [width] = this.size();
    const visible = width / this.across;
    if (this.across && (token < this.left || token >= this.left + visible))
      this.left = token - visible / 2;
    this.sheet.redraw();
  }

  recolour() {
    this.colours = table();
    this.sheet.redraw();
  }

  size() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return [width, height];
  }

  /** Returns means over 2^k tokens and 2^j units, computed from the level below and kept. */
  level(k, j) {
    const key = `${k},${j}`;
    if (!this.levels.has(key))
      this.levels.set(key, k ? halfTokens(this.level(k - 1, j)) : this.rows(j));
    return this.levels.get(key);
  }

  /** Returns the base in the chosen order, 2^j units per row. */
  rows(j) {
    if (!j && !this.order) return this.base;
    const { values, tokens, units } = this.base;
    const [step, count] = [1 << j, Math.ceil(units / (1 << j))];
    const made = new Int8Array(count * tokens);
    for (let row = 0; row < count; row++) {
      const sums = new Int32Array(tokens);
      const end = Math.min(units, (row + 1) * step);
      for (let i = row * step; i < end; i++) {
        const from = (this.order ? this.order[i] : i) * tokens;
        for (let t = 0; t < tokens; t++) sums[t] += values[from + t];
      }
      const share = 1 / (end - row * step);
      for (let t = 0; t < tokens; t++) made[row * tokens + t] = Math.round(sums[t] * share);
    }
    return { values: made, tokens, units: count };
  }

  fit(width, height) {
    this.least = [Math.min(WIDEST, width / this.tokens), Math.min(WIDEST, height / this.units)];
    this.across = clamp(this.across || this.least[0], this.least[0], WIDEST);
    this.down = clamp(this.down || this.least[1], this.least[1], WIDEST);
    this.left = clamp(this.left, 0, Math.max(0, this.tokens - width / this.across));
    this.top = clamp(this.top, 0, Math.max(0, this.units - height / this.down));
  }

  paint(context, width, height) {
    if (!this.tokens) return;
    this.fit(width, height);
    const scale = this.sheet.context.getTransform().a;
    const [k, j] = [this.across, this.down].map((size) =>
      Math.max(0, Math.ceil(-Math.log2(size * scale))),
    );
    const { values, tokens, units } = this.level(k, j);
    const first = [this.left / 2 ** k, this.top / 2 ** j].map(Math.floor);
    const last = [
      (this.left + width / this.across) / 2 ** k,
      (this.top + height / this.down) / 2 ** j,
    ];
    const w = Math.min(tokens, Math.ceil(last[0])) - first[0];
    const h = Math.min(units, Math.ceil(last[1])) - first[1];
    this.fill(values, tokens, first, w, h);
    context.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    const [x, y] = this.at(first[0] * 2 ** k, first[1] * 2 ** j);
    context.drawImage(
      this.small.canvas,
      0,
      0,
      w,
      h,
      x,
      y,
      w * 2 ** k * this.across,
      h * 2 ** j * this.down,
    );
    this.paintCursor(context, width, height);
  }

  /** Draws a pixel for each visible value on the small canvas. */
  fill(values, tokens, [t0, c0], w, h) {
    if (this.image?.width !== w || this.image?.height !== h) {
      Object.assign(this.small.canvas, { width: w, height: h });
      this.image = this.small.createImageData(w, h);
    }
    const pixels = new Uint32Array(this.image.data.buffer);
    const { colours } = this;
    for (let y = 0, to = 0; y < h; y++) {
      let from = (c0 + y) * tokens + t0;
      for (const end = to + w; to < end; ) pixels[to++] = colours[values[from++] + 128];
    }
    this.small.putImageData(this.image, 0, 0);
  }

  at(token, row) {
    return [(token - this.left) * this.across, (row - this.top) * this.down];
  }

  paintCursor(context, width, height) {
    const [x, y] = this.at(this.cursor.token, this.cursor.row);
    const [w, h] = [Math.max(1, this.across), Math.max(1, this.down)];
    const style = getComputedStyle(this.canvas);
    context.fillStyle = context.strokeStyle = style.color;
    context.globalAlpha = 0.55;
    context.fillRect(x, 0, 1, height);
    context.fillRect(0, y, width, 1);
    if (w > 4) context.fillRect(x + w, 0, 1, height);
    if (h > 4) context.fillRect(0, y + h, width, 1);
    context.globalAlpha = 1;
  }

  /** Returns the token and the row under a pointer. */
  under(event) {
    const [x, y] = place(event, this.canvas);
    const token = clamp(Math.floor(this.left + x / this.across), 0, this.tokens - 1);
    return { token, row: clamp(Math.floor(this.top + y / this.down), 0, this.units - 1) };
  }

  unitOf(row) {
    return this.order ? this.order[row] : row;
  }

  choose(token, row) {
    this.cursor = { token: clamp(token, 0, this.tokens - 1), row: clamp(row, 0, this.units - 1) };
    this.reveal();
    this.onPick(this.cursor.token, this.unitOf(this.cursor.row));
  }

  reveal() {
    const [width, height] = this.size();
    const { token, row } = this.cursor;
    this.left = clamp(this.left, token + 1 - width / this.across, token);
    this.top = clamp(this.top, row + 1 - height / this.down, row);
    this.sheet.redraw();
  }

  /** Zooms by a factor around a place in CSS pixels. */
  zoom(factor, x, y) {
    const [token, row] = [this.left + x / this.across, this.top + y / this.down];
    this.across = clamp(this.across * factor, this.least[0], WIDEST);
    // Rows grow only once tokens are wide, since time is the long axis.
    if (factor < 1 || this.across > 3) this.down = clamp(this.down * factor, this.least[1], WIDEST);
    this.left = token - x / this.across;
    this.top = row - y / this.down;
    this.sheet.redraw();
  }

  pan(dx, dy) {
    this.left -= dx / this.across;
    this.top -= dy / this.down;
    this.sheet.redraw();
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event, canvas));
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.tokens) return;
      const before = pointers.get(event.pointerId);
      if (!before)
        return this.onHover(this.under(event).token, this.unitOf(this.under(event).row), event);
      const now = place(event, canvas);
      const others = [...pointers].filter(([id]) => id !== event.pointerId);
      if (others.length) this.pinch(others[0][1], before, now);
      else this.pan(now[0] - before[0], now[1] - before[1]);
      moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      pointers.set(event.pointerId, now);
    });
    const lift = (event) => {
      const mine = pointers.delete(event.pointerId);
      if (mine && moved < 4 && event.type === "pointerup" && this.tokens) {
        const { token, row } = this.under(event);
        this.choose(token, row);
      }
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", (event) => this.onHover(null, null, event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  pinch(fixed, before, now) {
    const apart = (point) => Math.hypot(point[0] - fixed[0], point[1] - fixed[1]) || 1;
    this.zoom(apart(now) / apart(before), (fixed[0] + now[0]) / 2, (fixed[1] + now[1]) / 2);
  }

  /** Sideways always pans; up and down zooms with Ctrl or once the picture has the focus: otherwise the page scrolls. */
  wheel(event) {
    if (!this.tokens) return;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      this.pan(-(event.deltaX || event.deltaY), 0);
    } else if (event.ctrlKey || document.activeElement === this.canvas) {
      this.zoom(Math.exp(-event.deltaY / 400), ...place(event, this.canvas));
    } else return;
    event.preventDefault();
  }

  key(event) {
    if (!this.tokens || event.altKey || event.metaKey || event.ctrlKey) return;
    const { token, row } = this.cursor;
    const [width, height] = this.size();
    const [far, page] = [event.shiftKey ? 10 : 1, Math.floor(width / this.across)];
    const [x, y] = this.at(token, row);
    const act = {
      ArrowLeft: () => this.choose(token - far, row),
      ArrowRight: () => this.choose(token + far, row),
      ArrowUp: () => this.choose(token, row - far),
      ArrowDown: () => this.choose(token, row + far),
      PageUp: () => this.choose(token - page, row),
      PageDown: () => this.choose(token + page, row),
      Home: () => this.choose(0, row),
      End: () => this.choose(this.tokens - 1, row),
      "+": () => this.zoom(1.5, clamp(x, 0, width), clamp(y, 0, height)),
      "=": () => this.zoom(1.5, clamp(x, 0, width), clamp(y, 0, height)),
      "-": () => this.zoom(1 / 1.5, clamp(x, 0, width), clamp(y, 0, height)),
      0: () => this.zoom(0.001, 0, 0),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  end() {
    this.stopTheme();
    this.sheet.end();
  }
}

function halfTokens({ values, tokens, units }) {
  const count = Math.ceil(tokens / 2);
  const made = new Int8Array(units * count);
  for (let unit = 0; unit < units; unit++) {
    const [from, to] = [unit * tokens, unit * count];
    for (let t = 0; t < count; t++) {
      const second = Math.min(2 * t + 1, tokens - 1);
      made[to + t] = (values[from + 2 * t] + values[from + second]) / 2;
    }
  }
  return { values: made, tokens: count, units };
}

// @ts-check
// Values of units over time: a column per token, a row per unit. Pan by dragging, zoom with the
// wheel or keys.
//
// Only what is visible is drawn, at the level of the pyramid with about one value per pixel.

import { clamp, context2d, place, Sheet } from "./canvas.js";
import { onTheme, table } from "./colours.js";
import { Pyramid } from "./pyramid.js";
import { Viewport } from "./viewport.js";

/**
 * @typedef {object} HeatMapEvents
 * @property {(token: number, unit: number) => void} onPick a click or an arrow key chose a token
 *   and a unit
 * @property {(token: number | null, unit: number | null) => void} [onHover]
 */

export class HeatMap {
  /** @param {HTMLCanvasElement} canvas  @param {HeatMapEvents} events */
  constructor(canvas, { onPick, onHover = () => {} }) {
    this.canvas = canvas;
    this.onPick = onPick;
    this.onHover = onHover;
    this.small = context2d(document.createElement("canvas"));
    /** @type {ImageData | null} */
    this.image = null;
    this.sheet = new Sheet(canvas, (context, width, height) => this.paint(context, width, height));
    this.stopTheme = onTheme(() => this.recolour());
    this.colours = table();
    this.pyramid = new Pyramid({ values: new Int8Array(0), tokens: 0, units: 0 });
    this.view = new Viewport(0, 0);
    this.cursor = { token: 0, row: 0 };
    listen(this);
  }

  /** Returns how many tokens there are; 0 before `set`. */
  get tokens() {
    return this.pyramid.base.tokens;
  }

  get units() {
    return this.pyramid.base.units;
  }

  get order() {
    return this.pyramid.order;
  }

  /**
   * Shows int8 `values` [H, T], unit by unit.
   * @param {Int8Array} values
   * @param {number} tokens
   * @param {number} units
   */
  set(values, tokens, units) {
    const same = this.tokens === tokens && this.units === units;
    this.pyramid = new Pyramid({ values, tokens, units }, same ? this.order : null);
    if (!same) {
      this.cursor = { token: 0, row: 0 };
      this.view = new Viewport(tokens, units);
    }
    this.sheet.redraw();
  }

  /** Reorders the rows: `order[row]` is a unit. @param {Int32Array | null} order */
  arrange(order) {
    this.pyramid = new Pyramid(this.pyramid.base, order);
    this.sheet.redraw();
  }

  /**
   * Marks a token and a unit, and scrolls to the token.
   * @param {number} token
   * @param {number} unit
   */
  mark(token, unit) {
    this.cursor = { token, row: this.order ? this.order.indexOf(unit) : unit };
    this.measure();
    this.view.centre(token);
    this.sheet.redraw();
  }

  recolour() {
    this.colours = table();
    this.sheet.redraw();
  }

  /** @param {CanvasRenderingContext2D} context  @param {number} width  @param {number} height */
  paint(context, width, height) {
    if (!this.tokens) return;
    const { view } = this;
    view.fit(width, height);
    const [k, j] = view.level(context.getTransform().a);
    const { token, row, tokens, rows } = view.visible(k, j);
    this.fill(this.pyramid.level(k, j), token, row, tokens, rows);
    context.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    const [x, y] = view.at(token * 2 ** k, row * 2 ** j);
    const [w, h] = [tokens * 2 ** k * view.across, rows * 2 ** j * view.down];
    context.drawImage(this.small.canvas, 0, 0, tokens, rows, x, y, w, h);
    this.paintCursor(context, width, height);
  }

  /**
   * Draws a pixel for each visible value on the small canvas.
   * @param {import("./pyramid.js").Grid} grid
   * @param {number} token  @param {number} row the first ones, of `w` and `h`
   * @param {number} w  @param {number} h
   */
  fill({ values, tokens }, token, row, w, h) {
    if (this.image?.width !== w || this.image?.height !== h) {
      Object.assign(this.small.canvas, { width: w, height: h });
      this.image = this.small.createImageData(w, h);
    }
    const pixels = new Uint32Array(this.image.data.buffer);
    const { colours } = this;
    for (let y = 0, to = 0; y < h; y++) {
      let from = (row + y) * tokens + token;
      for (const end = to + w; to < end; ) pixels[to++] = colours[values[from++] + 128];
    }
    this.small.putImageData(this.image, 0, 0);
  }

  /** @param {CanvasRenderingContext2D} context  @param {number} width  @param {number} height */
  paintCursor(context, width, height) {
    const { view, cursor } = this;
    const [x, y] = view.at(cursor.token, cursor.row);
    const [w, h] = [Math.max(1, view.across), Math.max(1, view.down)];
    const { color } = getComputedStyle(this.canvas);
    context.fillStyle = context.strokeStyle = color;
    context.globalAlpha = 0.55;
    context.fillRect(x, 0, 1, height);
    context.fillRect(0, y, width, 1);
    if (w > 4) context.fillRect(x + w, 0, 1, height);
    if (h > 4) context.fillRect(0, y + h, width, 1);
    context.globalAlpha = 1;
  }

  /** Returns the token and the unit under a pointer. @param {MouseEvent} event */
  under(event) {
    const [x, y] = place(event, this.canvas);
    const { token, row } = this.view.under(x, y);
    return { token, row, unit: this.unitOf(row) };
  }

  /** @param {number} row */
  unitOf(row) {
    return this.order ? this.order[row] : row;
  }

  /** @param {number} token  @param {number} row */
  choose(token, row) {
    this.cursor = { token: clamp(token, 0, this.tokens - 1), row: clamp(row, 0, this.units - 1) };
    this.measure();
    this.view.reveal(this.cursor.token, this.cursor.row);
    this.sheet.redraw();
    this.onPick(this.cursor.token, this.unitOf(this.cursor.row));
  }

  /** @param {number} factor  @param {number} x  @param {number} y */
  zoom(factor, x, y) {
    this.view.zoom(factor, x, y);
    this.sheet.redraw();
  }

  /** @param {number} dx  @param {number} dy */
  pan(dx, dy) {
    this.view.pan(dx, dy);
    this.sheet.redraw();
  }

  /** Takes the canvas's size, which may have changed since the last frame. */
  measure() {
    const { width, height } = this.canvas.getBoundingClientRect();
    Object.assign(this.view, { width, height });
  }

  end() {
    this.stopTheme();
    this.sheet.end();
  }
}

// ---- pointers and keys ----

/** @param {HeatMap} map */
function listen(map) {
  const { canvas } = map;
  canvas.addEventListener("pointerleave", () => map.onHover(null, null));
  canvas.addEventListener("wheel", (event) => wheel(map, event), { passive: false });
  canvas.addEventListener("keydown", (event) => key(map, event));
  listenToPointers(map);
}

/** One pointer pans or, lifted where it came down, picks; two pinch. @param {HeatMap} map */
function listenToPointers(map) {
  const { canvas } = map;
  /** @type {Map<number, number[]>} */
  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event, canvas));
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!map.tokens) return;
    const before = pointers.get(event.pointerId);
    if (!before) {
      const { token, unit } = map.under(event);
      map.onHover(token, unit);
      return;
    }
    const now = place(event, canvas);
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId);
    if (other) pinch(map, other[1], before, now);
    else map.pan(now[0] - before[0], now[1] - before[1]);
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    pointers.set(event.pointerId, now);
  });
  /** @param {PointerEvent} event */
  const lift = (event) => {
    const mine = pointers.delete(event.pointerId);
    if (!mine || moved >= 4 || event.type !== "pointerup" || !map.tokens) return;
    const { token, row } = map.under(event);
    map.choose(token, row);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
}

/**
 * @param {HeatMap} map
 * @param {number[]} fixed
 * @param {number[]} before
 * @param {number[]} now
 */
function pinch(map, fixed, before, now) {
  /** @param {number[]} point */
  const apart = (point) => Math.hypot(point[0] - fixed[0], point[1] - fixed[1]) || 1;
  map.zoom(apart(now) / apart(before), (fixed[0] + now[0]) / 2, (fixed[1] + now[1]) / 2);
}

/**
 * Sideways always pans; up and down zooms with Ctrl or once the picture has the focus: otherwise
 * the page scrolls.
 * @param {HeatMap} map  @param {WheelEvent} event
 */
function wheel(map, event) {
  if (!map.tokens) return;
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
    map.pan(-(event.deltaX || event.deltaY), 0);
  } else if (event.ctrlKey || document.activeElement === map.canvas) {
    const [x, y] = place(event, map.canvas);
    map.zoom(Math.exp(-event.deltaY / 400), x, y);
  } else return;
  event.preventDefault();
}

/** @param {HeatMap} map  @param {KeyboardEvent} event */
function key(map, event) {
  if (!map.tokens || event.altKey || event.metaKey || event.ctrlKey) return;
  map.measure();
  const { token, row } = map.cursor;
  const { width, height, across } = map.view;
  const [far, page] = [event.shiftKey ? 10 : 1, Math.floor(width / across)];
  const [x, y] = map.view.at(token, row);
  /** @param {number} factor */
  const zoom = (factor) => map.zoom(factor, clamp(x, 0, width), clamp(y, 0, height));
  /** @type {Record<string, () => void>} */
  const acts = {
    ArrowLeft: () => map.choose(token - far, row),
    ArrowRight: () => map.choose(token + far, row),
    ArrowUp: () => map.choose(token, row - far),
    ArrowDown: () => map.choose(token, row + far),
    PageUp: () => map.choose(token - page, row),
    PageDown: () => map.choose(token + page, row),
    Home: () => map.choose(0, row),
    End: () => map.choose(map.tokens - 1, row),
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: () => map.zoom(0.001, 0, 0),
  };
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

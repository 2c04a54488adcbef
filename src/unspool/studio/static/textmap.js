// @ts-check
// A text with a colour behind every token: 10,000 characters change colour within a frame.
//
// The text is in a monospaced font and in lines that are broken here, so the place of every
// character is known. The colours are a canvas behind it with ONE pixel per character,
// magnified by CSS: to recolour the text is to write a few ten thousand pixels. The text itself
// never changes, and can be selected.

import { clamp, context2d, place } from "./canvas.js";
import { behindText, onTheme } from "./colours.js";
import { el } from "./elements.js";
import { isSimple, TextPlaces } from "./textlayout.js";

/**
 * @typedef {object} TextMapEvents
 * @property {(token: number) => void} onCaret a click or an arrow key
 * @property {(span: number[] | null) => void} onSpan a drag or Shift with arrows: the first and the
 *   last token
 * @property {(token: number | null) => void} onHover
 */

export class TextMap {
  /** @param {HTMLElement} element  @param {TextMapEvents} events */
  constructor(element, { onCaret, onSpan, onHover }) {
    this.element = element;
    this.onCaret = onCaret;
    this.onSpan = onSpan;
    this.onHover = onHover;
    element.classList.add("textmap");
    element.tabIndex = 0;
    this.canvas = el("canvas", { className: "textmap-colours" });
    this.lines = el("div", { className: "textmap-lines" });
    this.marks = el("div", { className: "textmap-marks" });
    this.caretMark = el("div", { className: "textmap-caret" });
    this.inside = el(
      "div",
      { className: "textmap-inside" },
      this.canvas,
      this.lines,
      this.marks,
      this.caretMark,
    );
    element.append(this.inside);
    this.context = context2d(this.canvas, true);
    /** @type {string[]} */
    this.tokens = [];
    this.places = new TextPlaces([], 1);
    this.charWidth = this.lineHeight = 0;
    this.caret = 0;
    /** The other end of the span, if there is one. @type {number | null} */
    this.anchor = null;
    this.spanning = false; // whether a tap marks a span
    /** @type {Int8Array | null} */
    this.values = null;
    /** @type {Uint32Array | null} */
    this.colours = null;
    /** @type {ImageData | null} */
    this.image = null;
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(element);
    this.stopTheme = onTheme(() => this.recolour());
    this.listen();
  }

  /** @param {string[]} tokens */
  set(tokens) {
    Object.assign(this, { tokens, caret: 0, anchor: null, values: null, charWidth: 0 });
    this.element.scrollTop = 0;
    this.fit();
  }

  /** Shows int8 values, one per token. @param {Int8Array} values */
  colour(values) {
    this.values = values;
    if (!this.image) return;
    const { tokenAt } = this.places;
    this.colours ??= behindText();
    const pixels = new Uint32Array(this.image.data.buffer);
    for (let i = 0; i < pixels.length; i++) {
      const token = tokenAt[i];
      pixels[i] = token < 0 ? 0 : this.colours[values[token] + 128];
    }
    this.context.putImageData(this.image, 0, 0);
  }

  recolour() {
    this.colours = null;
    if (this.values) this.colour(this.values);
  }

  /** Breaks the lines again if the width has changed. */
  fit() {
    const [width, height] = this.measure();
    const columns = Math.max(20, Math.floor(this.inside.clientWidth / width));
    if (columns === this.places.columns && width === this.charWidth) return;
    this.charWidth = width;
    this.lineHeight = height;
    this.places = new TextPlaces(this.tokens, columns);
    this.write();
    this.sizeCanvas();
    if (this.values) this.colour(this.values);
    this.showCaret();
    this.showSpan();
  }

  /** Returns the width and height of a character. */
  measure() {
    const probe = el("span", { textContent: "x".repeat(100) });
    probe.style.cssText = "position:absolute;visibility:hidden;white-space:pre";
    this.lines.appendChild(probe);
    const { width, height } = probe.getBoundingClientRect();
    probe.remove();
    return [width / 100, Number.parseFloat(getComputedStyle(this.lines).lineHeight) || height];
  }

  write() {
    this.lines.replaceChildren(
      ...this.places.lines.map((line) => {
        const text = line.map((one) => one.text).join("");
        if (isSimple(text)) return el("div", {}, text.replace("\n", "") || "\u200b");
        return el(
          "div",
          {},
          ...line.filter(({ text }) => text !== "\n").map((one) => this.box(one)),
        );
      }),
    );
  }

  /**
   * Fits a character of uncertain width to its columns.
   * @param {import("./textlayout.js").Character} character
   */
  box({ text, width }) {
    if (isSimple(text)) return text;
    const made = el("span", {}, text);
    made.style.cssText = `display:inline-block;width:${width * this.charWidth}px;overflow:visible`;
    return made;
  }

  /** Gives the canvas a pixel for each place. */
  sizeCanvas() {
    const { columns, rows } = this.places;
    Object.assign(this.canvas, { width: columns, height: rows });
    this.image = this.context.createImageData(columns, rows);
    this.canvas.style.width = `${columns * this.charWidth}px`;
    this.canvas.style.height = `${rows * this.lineHeight}px`;
  }

  /**
   * Returns the token under a pointer, or the line's last before it; null outside the text.
   * @param {MouseEvent} event
   */
  under(event) {
    const [x, y] = place(event, this.lines);
    const row = Math.floor(y / this.lineHeight);
    if (row < 0 || row >= this.places.lines.length) return null;
    const token = this.places.nearest(row, Math.floor(x / this.charWidth));
    return token < 0 ? null : token;
  }

  /** @param {number} token  @param {boolean} extend whether the span grows */
  move(token, extend) {
    if (!this.tokens.length) return;
    if (extend) this.anchor ??= this.caret;
    else this.anchor = null;
    this.caret = clamp(token, 0, this.tokens.length - 1);
    this.showCaret(true);
    this.showSpan();
    this.onCaret(this.caret);
    this.onSpan(this.span());
  }

  /** Returns the first and the last token of the span, if there is one. */
  span() {
    const { anchor, caret } = this;
    return anchor === null || anchor === caret
      ? null
      : [Math.min(anchor, caret), Math.max(anchor, caret)];
  }

  showCaret(reveal = false) {
    const at = this.places.starts[this.caret] ?? -1;
    this.caretMark.hidden = at < 0;
    if (at < 0) return;
    this.put(this.caretMark, at, this.places.widthOf(this.caret));
    if (!reveal) return;
    const top = Math.floor(at / this.places.columns) * this.lineHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + 2 * this.lineHeight > scrollTop + clientHeight) {
      this.element.scrollTop = top + 2 * this.lineHeight - clientHeight;
    }
  }

  /** Draws a line under every row of the span. */
  showSpan() {
    const span = this.span();
    const parts = span ? this.places.span(span[0], span[1]) : [];
    this.marks.replaceChildren(
      ...parts.map(({ at, width }) => {
        const mark = el("div");
        this.put(mark, at, width);
        return mark;
      }),
    );
  }

  /** @param {HTMLElement} mark  @param {number} at a place  @param {number} width in columns */
  put(mark, at, width) {
    const [row, column] = [Math.floor(at / this.places.columns), at % this.places.columns];
    mark.style.cssText =
      `left:${column * this.charWidth}px;top:${row * this.lineHeight}px;` +
      `width:${width * this.charWidth}px;height:${this.lineHeight}px`;
  }

  // ---- pointers, keys, copying ----

  listen() {
    const { element } = this;
    element.addEventListener("pointermove", (event) => this.onHover(this.under(event)));
    element.addEventListener("pointerleave", () => this.onHover(null));
    element.addEventListener("keydown", (event) => this.key(event));
    this.lines.addEventListener("copy", (event) => this.copy(event));
    this.listenToDrags();
  }

  /** A press and a release on one token move the caret; on two they mark a span. */
  listenToDrags() {
    const { element } = this;
    /** @type {number | null} */
    let down = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button || event.target === element) return;
      down = this.under(event);
      if (event.shiftKey && down !== null) {
        event.preventDefault();
        this.move(down, true);
        down = null;
      }
    });
    element.addEventListener("pointerup", (event) => {
      const up = this.under(event);
      if (down === null || up === null) return;
      if (down === up) this.move(up, this.spanning && this.caret !== up);
      else {
        this.caret = down;
        this.anchor = null;
        this.move(up, true);
      }
      down = null;
    });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey || !this.tokens.length) return;
    const { caret, places } = this;
    const page = Math.floor(this.element.clientHeight / this.lineHeight);
    const to = {
      ArrowLeft: () => caret - 1,
      ArrowRight: () => caret + 1,
      ArrowUp: () => places.vertical(caret, -1),
      ArrowDown: () => places.vertical(caret, 1),
      PageUp: () => places.vertical(caret, -page),
      PageDown: () => places.vertical(caret, page),
      Home: () => 0,
      End: () => this.tokens.length - 1,
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.move(to(), event.shiftKey);
  }

  /**
   * Copied text has the line breaks of the text, not those of the screen.
   * @param {ClipboardEvent} event
   */
  copy(event) {
    const selection = getSelection();
    if (!selection) return;
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    const [one, other] = [
      this.offset(anchorNode, anchorOffset),
      this.offset(focusNode, focusOffset),
    ];
    if (one === null || other === null) return;
    const copied = this.tokens.join("").slice(Math.min(one, other), Math.max(one, other));
    event.clipboardData?.setData("text/plain", copied);
    event.preventDefault();
  }

  /**
   * Returns how many characters of the text are before a place of the page.
   * @param {Node | null} node
   * @param {number} inNode
   */
  offset(node, inNode) {
    const lines = [...this.lines.children];
    const row = lines.findIndex((line) => line.contains(node));
    if (row < 0 || !node) return null;
    const range = document.createRange();
    range.setStart(lines[row], 0);
    range.setEnd(node, inNode);
    return this.places.charactersBefore(row) + range.toString().length;
  }

  end() {
    this.stopTheme();
    this.observer.disconnect();
  }
}

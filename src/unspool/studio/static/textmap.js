// A text with a colour behind every token: 10,000 characters change colour within a frame.
//
// The text is in a monospaced font and in lines that are broken here, so the place of every character is known. The
// colours are a canvas behind it with ONE pixel per character, magnified by CSS: to recolour the text is to write a few
// ten thousand pixels. The text itself never changes, and can be selected.

import { clamp, place } from "./canvas.js";
import { behindText, onTheme } from "./colours.js";

const TAB = 4;
const SIMPLE = /^[\t\n\x20-\x7e\u00a0-\u017f\u0370-\u03ff\u0400-\u04ff\u2010-\u2027]*$/; // each one column wide
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60]/u;
const NARROW = /\p{Mark}|\u200b|\u200d|\ufe0f/u; // no column wide

/** Returns lines of [{text, token, column, width}], broken after a space if there is one. */
export function layout(tokens, columns) {
  const lines = [];
  let line = [];
  let column = 0;
  const end = () => {
    lines.push(line);
    line = [];
    column = 0;
  };
  const push = (text, token) => {
    let width =
      text === "\t" ? TAB - (column % TAB) : NARROW.test(text) ? 0 : WIDE.test(text) ? 2 : 1;
    if (column + width > columns && text !== "\n") {
      const kept = line;
      const at = kept.findLastIndex(({ text }) => text === " " || text === "\t") + 1;
      const carried = at > kept.length / 3 ? kept.splice(at) : [];
      end();
      for (const one of carried) push(one.text, one.token);
      width = text === "\t" ? TAB - (column % TAB) : width;
    }
    line.push({ text, token, column, width });
    column += width;
    if (text === "\n") end();
  };
  tokens.forEach((text, token) => {
    for (const char of text) push(char, token);
  });
  if (line.length) end();
  return lines;
}

export class TextMap {
  /** `onCaret(token)`: a click or an arrow key; `onSpan(first, last)`: a drag or Shift with arrows; `onHover(token)`. */
  constructor(element, { onCaret, onSpan, onHover }) {
    Object.assign(this, { element, onCaret, onSpan, onHover });
    element.classList.add("textmap");
    element.tabIndex = 0;
    const make = (name, parent, tag = "div") => {
      const made = document.createElement(tag);
      made.className = name;
      return parent.appendChild(made);
    };
    this.inside = make("textmap-inside", element);
    this.canvas = make("textmap-colours", this.inside, "canvas");
    this.lines = make("textmap-lines", this.inside);
    this.marks = make("textmap-marks", this.inside);
    this.caretMark = make("textmap-caret", this.inside);
    this.tokens = [];
    this.caret = 0;
    this.anchor = null;
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(element);
    this.stopTheme = onTheme(() => this.recolour());
    this.listen();
  }

  set(tokens) {
    Object.assign(this, { tokens, caret: 0, anchor: null, values: null, columns: 0 });
    this.element.scrollTop = 0;
    this.fit();
  }

  /** Shows int8 values, one per token. */
  colour(values) {
    this.values = values;
    if (!this.image) return;
    const { pixelToken } = this;
    const colours = (this.colours ??= behindText());
    const pixels = new Uint32Array(this.image.data.buffer);
    for (let i = 0; i < pixels.length; i++) {
      const token = pixelToken[i];
      pixels[i] = token < 0 ? 0 : colours[values[token] + 128];
    }
    this.canvas.getContext("2d").putImageData(this.image, 0, 0);
  }

  recolour() {
    this.colours = null;
    if (this.values) this.colour(this.values);
  }

  /** Breaks the lines again if the width has changed. */
  fit() {
    const [width, height] = this.measure();
    const columns = Math.max(20, Math.floor(this.inside.clientWidth / width));
    if (columns === this.columns && width === this.charWidth) return;
    Object.assign(this, { columns, charWidth: width, lineHeight: height });
    this.broken = layout(this.tokens, columns);
    this.write();
    this.map();
    if (this.values) this.colour(this.values);
    this.showCaret();
    this.showSpan();
  }

  measure() {
    const probe = document.createElement("span");
    probe.textContent = "x".repeat(100);
    probe.style.cssText = "position:absolute;visibility:hidden;white-space:pre";
    this.lines.appendChild(probe);
    const { width, height } = probe.getBoundingClientRect();
    probe.remove();
    return [width / 100, parseFloat(getComputedStyle(this.lines).lineHeight) || height];
  }

  write() {
    this.lines.replaceChildren(
      ...this.broken.map((line) => {
        const made = document.createElement("div");
        const text = line.map((one) => one.text).join("");
        if (SIMPLE.test(text)) made.textContent = text.replace("\n", "") || "\u200b";
        else made.append(...line.filter(({ text }) => text !== "\n").map((one) => this.box(one)));
        return made;
      }),
    );
  }

  /** Fits a character of uncertain width to its columns. */
  box({ text, width }) {
    if (SIMPLE.test(text)) return text;
    const made = document.createElement("span");
    made.textContent = text;
    made.style.cssText = `display:inline-block;width:${width * this.charWidth}px;overflow:visible`;
    return made;
  }

  /** Computes which token every pixel belongs to, and where every token begins. */
  map() {
    const { columns, broken } = this;
    const rows = Math.max(1, broken.length);
    this.pixelToken = new Int32Array(columns * rows).fill(-1);
    this.starts = new Int32Array(this.tokens.length).fill(-1);
    broken.forEach((line, row) => {
      for (const { token, column, width } of line) {
        const at = row * columns + column;
        if (this.starts[token] < 0) this.starts[token] = at;
        this.pixelToken.fill(token, at, Math.min(at + width, (row + 1) * columns));
      }
    });
    Object.assign(this.canvas, { width: columns, height: rows });
    this.image = this.canvas.getContext("2d").createImageData(columns, rows);
    this.canvas.style.width = `${columns * this.charWidth}px`;
    this.canvas.style.height = `${rows * this.lineHeight}px`;
  }

  /** Returns the token under a pointer, or the line's last before it; null outside the text. */
  under(event) {
    const [x, y] = place(event, this.lines);
    const row = Math.floor(y / this.lineHeight);
    if (row < 0 || row >= this.broken.length) return null;
    let at = row * this.columns + clamp(Math.floor(x / this.charWidth), 0, this.columns - 1);
    while (this.pixelToken[at] < 0 && at > row * this.columns) at--;
    return this.pixelToken[at] < 0 ? null : this.pixelToken[at];
  }

  move(token, extend) {
    if (!this.tokens.length) return;
    if (extend) this.anchor ??= this.caret;
    else this.anchor = null;
    this.caret = clamp(token, 0, this.tokens.length - 1);
    this.showCaret(true);
    this.showSpan();
    this.onCaret(this.caret);
    this.announce();
  }

  announce() {
    if (this.anchor === null || this.anchor === this.caret) return this.onSpan(null);
    this.onSpan(Math.min(this.anchor, this.caret), Math.max(this.anchor, this.caret));
  }

  showCaret(reveal = false) {
    const at = this.starts?.[this.caret] ?? -1;
    this.caretMark.hidden = at < 0;
    if (at < 0) return;
    let width = 0;
    while (
      this.pixelToken[at + width] === this.caret &&
      (at + width) % this.columns >= at % this.columns
    )
      width++;
    this.put(this.caretMark, at, Math.max(1, width));
    if (!reveal) return;
    const top = Math.floor(at / this.columns) * this.lineHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + 2 * this.lineHeight > scrollTop + clientHeight) {
      this.element.scrollTop = top + 2 * this.lineHeight - clientHeight;
    }
  }

  /** Draws a line under every row of the chosen span. */
  showSpan() {
    this.marks.replaceChildren();
    if (this.anchor === null || this.anchor === this.caret) return;
    const [first, last] = [this.anchor, this.caret].sort((a, b) => a - b);
    this.broken.forEach((line, row) => {
      const inside = line.filter(({ token }) => token >= first && token <= last);
      if (!inside.length) return;
      const end = inside.at(-1);
      const mark = this.marks.appendChild(document.createElement("div"));
      this.put(
        mark,
        row * this.columns + inside[0].column,
        end.column + end.width - inside[0].column,
      );
    });
  }

  put(mark, at, width) {
    const [row, column] = [Math.floor(at / this.columns), at % this.columns];
    mark.style.cssText =
      `left:${column * this.charWidth}px;top:${row * this.lineHeight}px;` +
      `width:${width * this.charWidth}px;height:${this.lineHeight}px`;
  }

  listen() {
    const { element } = this;
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
    element.addEventListener("pointermove", (event) => this.onHover(this.under(event), event));
    element.addEventListener("pointerleave", (event) => this.onHover(null, event));
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
    element.addEventListener("keydown", (event) => this.key(event));
    this.lines.addEventListener("copy", (event) => this.copy(event));
  }

  key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const { caret } = this;
    const to = {
      ArrowLeft: () => caret - 1,
      ArrowRight: () => caret + 1,
      ArrowUp: () => this.vertical(-1),
      ArrowDown: () => this.vertical(1),
      PageUp: () => this.vertical(-Math.floor(this.element.clientHeight / this.lineHeight)),
      PageDown: () => this.vertical(Math.floor(this.element.clientHeight / this.lineHeight)),
      Home: () => 0,
      End: () => this.tokens.length - 1,
    }[event.key];
    if (!to || !this.tokens.length) return;
    event.preventDefault();
    this.move(to(), event.shiftKey);
  }

  vertical(lines) {
    const at = this.starts[this.caret];
    const row = clamp(Math.floor(at / this.columns) + lines, 0, this.broken.length - 1);
    let pixel = row * this.columns + (at % this.columns);
    while (this.pixelToken[pixel] < 0 && pixel > row * this.columns) pixel--;
    return this.pixelToken[pixel];
  }

  /** Copied text has the line breaks of the text, not those of the screen. */
  copy(event) {
    const { anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
    const ends = [this.offset(anchorNode, anchorOffset), this.offset(focusNode, focusOffset)];
    if (ends.includes(null)) return;
    const [from, to] = ends.sort((a, b) => a - b);
    event.clipboardData.setData("text/plain", this.tokens.join("").slice(from, to));
    event.preventDefault();
  }

  offset(node, inNode) {
    const lines = [...this.lines.children];
    const row = lines.findIndex((line) => line.contains(node));
    if (row < 0) return null;
    const range = document.createRange();
    range.setStart(lines[row], 0);
    range.setEnd(node, inNode);
    const length = (line) => line.reduce((sum, { text }) => sum + text.length, 0);
    return (
      this.broken.slice(0, row).reduce((sum, line) => sum + length(line), 0) +
      range.toString().length
    );
  }

  end() {
    this.stopTheme();
    this.observer.disconnect();
  }
}

// @ts-check
// Shows what a model expected after a token: the five likeliest next tokens, and how surprising
// the token itself was.

import { el } from "./elements.js";
import { visible } from "./formats.js";

export class NextTokens {
  /**
   * @param {HTMLElement} element
   * @param {{ tokens: string[], vocabulary: string[] }} trace
   * @param {ArrayBuffer} bytes int32 ids [T, 5], float32 probabilities [T, 5], float32 surprise [T]
   *   in nats, NaN if unknown
   */
  constructor(element, { tokens, vocabulary }, bytes) {
    const T = tokens.length;
    this.element = element;
    this.tokens = tokens;
    this.vocabulary = vocabulary;
    this.likeliest = (bytes.byteLength / 4 / T - 1) / 2;
    this.ids = new Int32Array(bytes, 0, T * this.likeliest);
    this.probabilities = new Float32Array(bytes, 4 * T * this.likeliest, T * this.likeliest);
    this.surprise = new Float32Array(bytes, 8 * T * this.likeliest, T);
    this.coloured = Int8Array.from(this.surprise, (nats) =>
      Number.isNaN(nats) ? 0 : Math.min(127, (nats / 6) * 127),
    );
  }

  /** @param {number} token */
  show(token) {
    const nats = this.surprise[token];
    const told = Number.isNaN(nats)
      ? " is the first token: the model did not predict it"
      : ` came with a surprise of ${nats.toFixed(2)} nats (p = ${Math.exp(-nats).toPrecision(2)})`;
    this.element.replaceChildren(
      el("p", {}, el("code", {}, visible(this.tokens[token])), told, ". Next the model expects:"),
      el(
        "ol",
        { className: "next" },
        ...Array.from({ length: this.likeliest }, (_, i) => this.bar(token * this.likeliest + i)),
      ),
    );
  }

  /** @param {number} at among all of the likeliest tokens */
  bar(at) {
    const probability = this.probabilities[at];
    const bar = el("span", { className: "bar" });
    bar.style.width = `${(100 * probability).toFixed(1)}%`;
    return el(
      "li",
      {},
      el("code", {}, visible(this.vocabulary[this.ids[at]])),
      el("span", { className: "bar-room" }, bar),
      el("span", { className: "share" }, probability.toFixed(3)),
    );
  }
}

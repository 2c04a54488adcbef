// Shows what a model expected after a token: the five likeliest next tokens, and how surprising the token itself was.

import { el } from "./calls.js";

const SHOWN = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };
const shown = (token) => token.replace(/[ \n\t]/g, (char) => SHOWN[char]);

export class NextTokens {
  /** `bytes`: int32 ids [T, 5], float32 probabilities [T, 5], float32 surprise [T] in nats, NaN if unknown. */
  constructor(element, { tokens, vocabulary }, bytes) {
    const [T, k] = [tokens.length, bytes.byteLength / 4 / tokens.length];
    const likeliest = (k - 1) / 2;
    Object.assign(this, { element, tokens, vocabulary, k: likeliest });
    this.ids = new Int32Array(bytes, 0, T * likeliest);
    this.probabilities = new Float32Array(bytes, 4 * T * likeliest, T * likeliest);
    this.surprise = new Float32Array(bytes, 8 * T * likeliest, T);
    this.coloured = Int8Array.from(this.surprise, (nats) =>
      Number.isNaN(nats) ? 0 : Math.min(127, (nats / 6) * 127),
    );
  }

  show(token) {
    const { element, k } = this;
    const nats = this.surprise[token];
    const bars = Array.from({ length: k }, (_, i) => {
      const probability = this.probabilities[token * k + i];
      const bar = el("span", { className: "bar" });
      bar.style.width = `${(100 * probability).toFixed(1)}%`;
      const name = this.vocabulary[this.ids[token * k + i]];
      return el(
        "li",
        {},
        el("code", {}, shown(name)),
        el("span", { className: "bar-room" }, bar),
        el("span", { className: "share" }, probability.toFixed(3)),
      );
    });
    element.replaceChildren(
      el(
        "p",
        {},
        el("code", {}, shown(this.tokens[token])),
        Number.isNaN(nats)
          ? " is the first token: the model did not predict it"
          : ` came with a surprise of ${nats.toFixed(2)} nats (p = ${Math.exp(-nats).toPrecision(2)})`,
        ". Next the model expects:",
      ),
      el("ol", { className: "next" }, ...bars),
    );
  }
}

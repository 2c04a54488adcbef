// @ts-check
// What the Units view shows: a text, a layer, a quantity, a unit, a token; and the units ranked by
// a property.

import { api, octets } from "../calls.js";
import { clamp } from "../canvas.js";
import { fixed } from "../formats.js";
import { fromShade } from "../quantities.js";

/** @typedef {import("../quantities.js").TracedQuantity} TracedQuantity */

/**
 * A text that a run has read.
 * @typedef {object} Trace
 * @property {string} id
 * @property {string} note
 * @property {string[]} tokens
 * @property {{ units: number, quantities: TracedQuantity[] }[]} layers
 * @property {string[]} annotations
 * @property {string[] | null} vocabulary null if the run predicts no next token
 */

/**
 * A unit and how well it matches a property of the text, or a span of it.
 * @typedef {object} Ranked
 * @property {number} layer
 * @property {number} unit
 * @property {number | null} [auc] of a property that is there or not
 * @property {number | null} [correlation] of one that is a number
 * @property {number} [control] the best score of shifted annotations
 * @property {number} [p]
 * @property {number} [inside] of a span: the share of it in which the unit is on
 * @property {number} [outside]
 */

/** @typedef {{ layer?: number, quantity?: string, unit?: number, token?: number }} Change */

export class UnitsSession {
  /** @param {string} run */
  constructor(run) {
    this.run = run;
    this.samples = 0; // asked for so far
    /** @type {Trace | null} */
    this.trace = null;
    /** Of the layer's quantity: int8 [H, T]. @type {Int8Array | null} */
    this.values = null;
    /** Values that were fetched, by layer and quantity. @type {Map<string, Int8Array>} */
    this.held = new Map();
    this.layer = 0;
    this.quantity = "c";
    this.unit = 0;
    this.token = 0;
    /** Units by how well they tell what was asked for last. @type {Ranked[]} */
    this.ranked = [];
    /** The first and the last token of a span. @type {number[] | null} */
    this.span = null;
    this.spans = 0; // asked for so far
  }

  /** Loads part of the run's held-out text, another one each time. @returns {Promise<string>} */
  async sample() {
    const { text } = await api(
      `/api/cells/sample/${encodeURIComponent(this.run)}?number=${this.samples++}`,
    );
    return text;
  }

  /** Reads a text. @param {string} text  @returns {Promise<Trace>} */
  async read(text) {
    const trace = await api(`/api/cells/trace/${encodeURIComponent(this.run)}`, { json: { text } });
    Object.assign(this, { trace, values: null, ranked: [], span: null, token: 0 });
    this.held.clear();
    return trace;
  }

  /**
   * Loads the likeliest tokens after each one; null if the run predicts none.
   * @param {Trace} trace
   */
  next({ id, vocabulary }) {
    return vocabulary && octets(`/api/cells/next/${id}`);
  }

  get key() {
    return `${this.layer}/${this.quantity}`;
  }

  /** Returns the units of the layer and its quantities, the state's first. */
  get shape() {
    return this.trace?.layers[this.layer] ?? { units: 0, quantities: [] };
  }

  /** Describes the chosen quantity. @returns {TracedQuantity} */
  get described() {
    const { quantity: name } = this;
    const found = this.shape.quantities.find((one) => one.name === name);
    return found ?? { name, label: name, shown: name, range: [-1, 1] };
  }

  get tokens() {
    return this.trace?.tokens ?? [];
  }

  /**
   * Chooses a layer, quantity, unit or token; says whether the values are others, too. Returns null
   * if there is nothing to show: no text has been read, or another choice has overtaken this one.
   * @param {Change} change
   */
  async choose(change) {
    if (!this.trace) return null;
    const before = this.key;
    Object.assign(this, change);
    const { units, quantities } = this.shape;
    if (!quantities.some(({ name }) => name === this.quantity)) this.quantity = quantities[0].name;
    this.unit = clamp(Math.trunc(this.unit) || 0, 0, units - 1);
    if (this.key === before && this.values) return { isOther: false };
    return (await this.fetchValues(this.trace.id)) ? { isOther: true } : null;
  }

  /** @param {string} id */
  async fetchValues(id) {
    const { key } = this;
    const values =
      this.held.get(key) ?? new Int8Array(await octets(`/api/cells/values/${id}/${key}`));
    if (id !== this.trace?.id) return false;
    this.held.set(key, values);
    if (key !== this.key) return false;
    this.values = values;
    return true;
  }

  /**
   * Returns the number behind an int8, within the quantity's range.
   * @param {number} unit
   * @param {number} token
   */
  valueAt(unit, token) {
    const value = (this.values?.[unit * this.tokens.length + token] ?? 0) / 127;
    return fixed(fromShade(value, this.described.range), 2);
  }

  /** Returns the unit's values, one per token. */
  overTime() {
    const T = this.tokens.length;
    return (this.values ?? new Int8Array(T)).subarray(this.unit * T, (this.unit + 1) * T);
  }

  /** Returns a value for each unit. @param {boolean} mean over the text; else at the token */
  ofUnits(mean) {
    const { values, token, tokens, shape } = this;
    const T = tokens.length;
    return Int8Array.from({ length: shape.units }, (_, unit) =>
      mean
        ? meanOf(values?.subarray(unit * T, (unit + 1) * T) ?? [])
        : (values?.[unit * T + token] ?? 0),
    );
  }

  /**
   * Ranks units by an annotation, or by a regular expression.
   * @param {{ annotation: string } | { pattern: string }} of
   */
  async rank(of) {
    try {
      this.ranked = await api(`/api/cells/scores/${this.trace?.id}?${new URLSearchParams(of)}`);
    } catch (error) {
      this.ranked = [];
      throw error;
    }
  }

  /**
   * Ranks units that are on in the span and off elsewhere (Strobelt et al. 2018, LSTMVis). Returns
   * false if another span or threshold has overtaken this one.
   * @param {number[]} span
   * @param {string} threshold
   */
  async rankSpan([first, last], threshold) {
    const mine = ++this.spans;
    const query = new URLSearchParams({ first: String(first), last: String(last), threshold });
    const ranked = await api(`/api/cells/span/${this.trace?.id}?${query}`);
    if (mine !== this.spans) return false;
    this.ranked = ranked;
    return true;
  }

  /** Returns the layer's units, the ranked ones first; null if none is ranked. */
  get order() {
    const first = this.ranked.filter(({ layer }) => layer === this.layer).map(({ unit }) => unit);
    if (!first.length) return null;
    const all = Array.from({ length: this.shape.units }, (_, i) => i);
    return Int32Array.from(new Set([...first, ...all]));
  }
}

/** @param {ArrayLike<number>} values */
function meanOf(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return Math.round(sum / values.length);
}

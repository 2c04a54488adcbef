// @ts-check
// Means of a grid of int8 at coarser and coarser scales, its rows in any order.
//
// Zoomed out, a pixel is the mean over 2^k tokens and 2^j units. The means are computed once per
// level, so that a frame costs as much as the pixels on the screen, however long the text is.

/**
 * Values unit by unit, [units, tokens].
 * @typedef {{ values: Int8Array, tokens: number, units: number }} Grid
 */

export class Pyramid {
  /**
   * @param {Grid} base
   * @param {Int32Array | null} order `order[row]` is a unit; null for that of their numbers
   */
  constructor(base, order = null) {
    this.base = base;
    this.order = order;
    /** @type {Map<string, Grid>} */
    this.levels = new Map();
  }

  /**
   * Returns means over 2^k tokens and 2^j units, computed from the level below and kept.
   * @param {number} k  @param {number} j
   * @returns {Grid}
   */
  level(k, j) {
    const key = `${k},${j}`;
    const found = this.levels.get(key) ?? (k ? halfTokens(this.level(k - 1, j)) : this.rows(j));
    this.levels.set(key, found);
    return found;
  }

  /** Returns the base in the chosen order, 2^j units per row. @param {number} j  @returns {Grid} */
  rows(j) {
    const { base, order } = this;
    if (!j && !order) return base;
    const { values, tokens, units } = base;
    const size = 2 ** j;
    const count = Math.ceil(units / size);
    const made = new Int8Array(count * tokens);
    for (let row = 0; row < count; row++) {
      const sums = new Int32Array(tokens);
      const end = Math.min(units, (row + 1) * size);
      for (let i = row * size; i < end; i++) {
        const from = (order ? order[i] : i) * tokens;
        for (let t = 0; t < tokens; t++) sums[t] += values[from + t];
      }
      const share = 1 / (end - row * size);
      for (let t = 0; t < tokens; t++) made[row * tokens + t] = Math.round(sums[t] * share);
    }
    return { values: made, tokens, units: count };
  }
}

/**
 * Returns means of neighbouring tokens; the last of an odd number is kept.
 * @param {Grid} grid
 * @returns {Grid}
 */
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

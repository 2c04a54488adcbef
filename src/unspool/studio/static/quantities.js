// @ts-check
// Quantities of a cell, as the studio describes them: its states and gates, and their ranges.

/** @typedef {[low: number, high: number]} Range */

/** A quantity of a step. @typedef {{ name: string, range: Range }} Quantity */

/** One of a traced text: `shown` is what is shown of it. @typedef {Quantity & { label: string, shown: string }} TracedQuantity */

/** Maps a value to -1 at one end of its range, 1 at the other. @param {number} value  @param {Range} range */
export const toShade = (value, [low, high]) => (2 * value - low - high) / (high - low);

/** Maps -1 to one end of a range, 1 to the other. @param {number} shade  @param {Range} range */
export const fromShade = (shade, [low, high]) => low + ((shade + 1) / 2) * (high - low);

// @ts-check
// Formats numbers and tokens.

const MINUS = "\u2212";

/** Writes minus signs in place of hyphens. @param {string} text */
export const minus = (text) => text.replaceAll("-", MINUS);

/** @param {number} value  @param {number} digits after the point */
export const fixed = (value, digits) => minus(value.toFixed(digits));

/** Formats a number in about four characters. @param {number} value */
export const number = (value) => {
  const size = Math.abs(value);
  return fixed(value, size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
};

/** @param {string} text */
export const quoted = (text) => `\u201c${text}\u201d`;

/** @type {Record<string, string>} */
const SIGNS = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };

/** Shows the blanks of a token as signs. @param {string} token */
export const visible = (token) => token.replace(/[ \n\t]/g, (char) => SIGNS[char]);

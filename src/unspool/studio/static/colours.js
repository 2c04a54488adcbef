// @ts-check
// Colours of values: blue below zero, orange above, the page's own colour at zero; suitable for
// colour-blind readers. Values are int8, -127..127 for -1..1.

const STRONGEST = 0.6; // of a colour behind text, so that the text stays readable in both themes

/** Returns a colour of the theme, [r, g, b]. @param {string} name */
function variable(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return text.split(/[ ,]+/).map(Number); // "r g b"
}

/** @param {number[]} from  @param {number[]} to  @param {number} share */
const mix = (from, to, share) =>
  from.map((value, i) => Math.round(value + (to[i] - value) * share));
/** @param {number[]} rgb */
const pack = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; // ImageData's order

/** Returns the end colours of the theme, each as [r, g, b]. */
export function ends() {
  return {
    low: variable("--low-rgb"),
    zero: variable("--paper-rgb"),
    high: variable("--high-rgb"),
  };
}

/** Returns 256 packed pixels, at [value + 128]: `strength` 1 for pictures, less behind text. */
export function table(strength = 1) {
  const { low, zero, high } = ends();
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const value = Math.max(-1, (i - 128) / 127);
    return pack(mix(zero, value < 0 ? low : high, Math.abs(value) * strength));
  });
}

export const behindText = () => table(STRONGEST);

/** Returns the CSS colour of a value in -1..1. @param {number} value  @param {number} strength */
export function css(value, strength = STRONGEST) {
  const { low, zero, high } = ends();
  const [r, g, b] = mix(zero, value < 0 ? low : high, Math.min(1, Math.abs(value)) * strength);
  return `rgb(${r} ${g} ${b})`;
}

/**
 * Calls `redraw` when the theme changes; returns a function that stops this.
 * @param {() => void} redraw
 */
export function onTheme(redraw) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  return () => dark.removeEventListener("change", redraw);
}

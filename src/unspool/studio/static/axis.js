// @ts-check
// Where the marks of an axis are.

/** Returns the least and the largest. @param {Iterable<number>} values */
export function extent(values) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/**
 * Returns about five round numbers from `low` to `high`.
 * @param {number} low
 * @param {number} high
 */
export function roundTicks(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 10 * power;
  const found = [];
  for (let value = Math.ceil(low / size) * size; value <= high; value += size)
    found.push(Number(value.toPrecision(12)));
  return found;
}

/**
 * Returns powers of ten from `high` down to `low`, at most nine of them.
 * @param {number} low
 * @param {number} high
 */
export function powerTicks(low, high) {
  const step = Math.ceil((high - low) / 8);
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => high - i * step);
}

/**
 * Returns at most `most` of the places 0 to count - 1, from the end on.
 * @param {number} count
 * @param {number} most
 */
export function placeTicks(count, most) {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((one) => count / one <= most) ?? 2000;
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => count - 1 - i * step);
}

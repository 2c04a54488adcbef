// @ts-check
// Elements of the page, and messages for empty views.

/**
 * An element's properties; numbers are allowed for text.
 * @template {HTMLElement} Made
 * @typedef {{ [Name in keyof Made]?: Made[Name] | number }} Properties
 */

/** * Makes an element: el("p", { className: "lead" }, "text", child).
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties<HTMLElementTagNameMap[Tag]>} properties
 * @param {...(Node | string)} children
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/** @param {unknown} error */
export const failure = (error) =>
  el(
    "p",
    { className: "failure", role: "alert" },
    error instanceof Error ? error.message : String(error),
  );

/** @param {string} text  @param {string} [href]  @param {string} [label] */
export const empty = (text, href, label = "") =>
  el("p", { className: "empty" }, text, " ", ...(href ? [el("a", { href }, label)] : []));

/**
 * Makes the head of a table.
 * @param {string[]} names
 * @param {(number: number) => string} classOf
 */
export const tableHead = (names, classOf = () => "") =>
  el(
    "thead",
    {},
    el(
      "tr",
      {},
      ...names.map((name, i) => el("th", { scope: "col", className: classOf(i) }, name)),
    ),
  );

/**
 * Makes the options of a choice, each a value and its name.
 * @param {[value: string | number, name: string][]} pairs
 * @param {string | number} [chosen]
 */
export const options = (pairs, chosen) =>
  pairs.map(([value, name]) => el("option", { value, selected: value === chosen }, name));

// @ts-check
// The form that starts training: a text and a few choices.

import { api, raw } from "../calls.js";
import { onDrop } from "../drop.js";
import { el, failure, options } from "../elements.js";

const MOST = 64 * 2 ** 20; // bytes that the studio accepts
const SHOWN = 20_000; // of a file's characters

/** @param {(name: string) => void} onStart */
export function form(onStart) {
  const text = el("textarea", {
    placeholder: "Paste a text, or drop a file here.",
    spellcheck: false,
    ariaLabel: "text",
  });
  const file = el("input", {
    type: "file",
    accept: "text/*,.txt,.md,.tex,.c,.py",
    ariaLabel: "a file",
  });
  const drop = el("div", { className: "drop" }, text, file);
  const size = el("span", { className: "quiet" });
  const fields = makeFields();
  fillChoices(fields).catch(() => {}); // the list of runs beside it shows the error
  const message = el("div", { role: "status" });
  const made = el(
    "form",
    { className: "form" },
    drop,
    size,
    el(
      "div",
      { className: "row" },
      ...Object.entries(fields).map(([name, field]) =>
        el("label", {}, LABELS[name] ?? name, field),
      ),
    ),
    el("div", {}, el("button", { className: "primary", type: "submit" }, "Train")),
    message,
  );

  /** Of a file, which may be too long for a text area. @type {string | null} */
  let content = null;
  const measure = () => {
    const { length } = content ?? text.value;
    size.textContent = length ? `${length.toLocaleString("en")} characters` : "";
  };
  /** @param {File} given */
  async function take(given) {
    if (given.size > MOST) {
      message.replaceChildren(
        failure(
          "The studio accepts texts of up to 64 MB: for a larger one use " +
            "unspool train text FILE --run DIR.",
        ),
      );
      return;
    }
    content = await given.text();
    text.value = content.length > SHOWN ? `${content.slice(0, SHOWN)}\n[...]` : content;
    fields.name.value = nameFor(given);
    measure();
  }
  file.addEventListener("change", () => file.files?.length && take(file.files[0]));
  text.addEventListener("input", () => {
    content = null;
    measure();
  });
  onDrop(drop, take);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.replaceChildren();
    const wanted = Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, valueIn(field)]),
    );
    try {
      await raw("/api/runs/start", { json: { ...wanted, text: content ?? text.value } });
      onStart(fields.name.value);
    } catch (error) {
      message.replaceChildren(failure(error));
    }
  });
  return made;
}

/** @type {Record<string, string>} */
const LABELS = { hidden: "units per layer" };

const makeFields = () => ({
  name: el("input", {
    type: "text",
    required: true,
    size: 16,
    pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}",
    title: "letters, digits, . _ -",
    value: "mine",
  }),
  cell: el("select"),
  layers: el("input", { type: "number", min: 1, max: 8, value: 1 }),
  hidden: el("input", { type: "number", min: 1, max: 4096, value: 256 }),
  tokens: el("select"),
  minutes: el("input", { type: "number", min: 0.1, max: 1440, step: "any", value: 5 }),
});

/** @param {ReturnType<typeof makeFields>} fields */
async function fillChoices(fields) {
  const choices = await api("/api/choices");
  fields.cell.replaceChildren(...options(choices.cell, "lstm"));
  fields.tokens.replaceChildren(...options(choices.tokens));
}

/** @param {HTMLInputElement | HTMLSelectElement} field */
const valueIn = ({ type, value }) => (type === "number" ? Number(value) : value);

/** Makes a run's name from a file's. @param {File} file */
const nameFor = ({ name }) =>
  name
    .replace(/\.[^.]*$/, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .slice(0, 64) || "mine";

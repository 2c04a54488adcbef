// The form that starts training: a text and a few choices.

import { el, failure, raw } from "../calls.js";

const MOST = 64 * 2 ** 20; // bytes that the studio accepts

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
  const fields = {
    name: el("input", {
      type: "text",
      required: true,
      size: 16,
      pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}",
      title: "letters, digits, . _ -",
      value: "mine",
    }),
    cell: choice(["lstm", "gru", "rnn"]),
    layers: el("input", { type: "number", min: 1, max: 8, value: 1 }),
    hidden: el("input", { type: "number", min: 1, max: 4096, value: 256 }),
    tokens: choice(["char", "byte", "word", "bpe"]),
    minutes: el("input", { type: "number", min: 0.1, max: 1440, step: "any", value: 5 }),
  };
  const labels = { hidden: "units per layer" };
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
        el("label", {}, labels[name] ?? name, field),
      ),
    ),
    el("div", {}, el("button", { className: "primary", type: "submit" }, "Train")),
    message,
  );

  let content = null; // of a file, which may be too long for a text area
  const measure = () => {
    const length = (content ?? text.value).length;
    size.textContent = length ? `${length.toLocaleString("en")} characters` : "";
  };
  async function take(given) {
    if (!given) return;
    if (given.size > MOST) {
      message.replaceChildren(
        failure(
          new Error(
            "The studio accepts texts of up to 64 MB: for a larger one use unspool train text FILE --run DIR.",
          ),
        ),
      );
      return;
    }
    content = await given.text();
    text.value = content.length > 20000 ? `${content.slice(0, 20000)}\n[...]` : content;
    fields.name.value =
      given.name
        .replace(/\.[^.]*$/, "")
        .replace(/[^A-Za-z0-9._-]+/g, "-")
        .slice(0, 64) || "mine";
    measure();
  }
  file.addEventListener("change", () => take(file.files[0]));
  text.addEventListener("input", () => {
    content = null;
    measure();
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = ({ type, value }) => (type === "number" ? Number(value) : value);
    const wanted = Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, value(field)]),
    );
    message.replaceChildren();
    try {
      await raw("/api/runs/start", { json: { ...wanted, text: content ?? text.value } });
      onStart(wanted.name);
    } catch (error) {
      message.replaceChildren(failure(error));
    }
  });
  return made;
}

const choice = (names) => el("select", {}, ...names.map((name) => el("option", {}, name)));

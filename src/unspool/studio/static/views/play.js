// @ts-check
// Play: the model writes a text, token by token; click any point of it to go back there.

import { el, empty, failure, options } from "../elements.js";
import { visible } from "../formats.js";
import { PlaySession } from "./play-session.js";

/** @typedef {import("./play-session.js").Choice} Choice */
/** @typedef {import("./play-session.js").Token} Token */

const KEYS = "123456789";
const MOST_CHOICES = 12;

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty("Choose a run first: a language model continues what you type.", "#/runs", "Runs"),
    );
    return undefined;
  }
  const view = new Play(element, run);
  /** @param {KeyboardEvent} event */
  const key = (event) => view.key(event);
  addEventListener("keydown", key);
  await view.begin();
  return () => {
    view.session.halt();
    removeEventListener("keydown", key);
  };
}

/** Shows a session on the page. */
class Play {
  /** @param {HTMLElement} element  @param {string} run */
  constructor(element, run) {
    this.page = build(element);
    this.session = new PlaySession(run, this);
    this.listen();
  }

  begin() {
    return this.session.begin(this.page.prompt.value);
  }

  listen() {
    const { page, session } = this;
    page.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
    page.write.addEventListener("click", () => session.write(page.prompt.value));
    page.written.addEventListener("click", ({ target }) => {
      const number = target instanceof HTMLElement ? target.dataset.number : undefined;
      if (number !== undefined) session.rewind(Number(number) + 1);
    });
    page.written.addEventListener("keydown", (event) => {
      const { cursor, tokens } = session;
      const to = { ArrowLeft: cursor - 1, ArrowRight: cursor + 1, Home: 1, End: tokens.length }[
        event.key
      ];
      if (to === undefined) return;
      event.preventDefault();
      session.rewind(to);
    });
    for (const slider of [page.temperature, page.topK, page.topP]) {
      slider.addEventListener("change", () => session.reshape());
    }
  }

  /** A digit takes one of the choices. @param {KeyboardEvent} event */
  key({ key, target }) {
    const i = KEYS.indexOf(key);
    if (
      i < 0 ||
      (target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    )
      return;
    this.page.choices.querySelectorAll("button")[i]?.click();
  }

  shape() {
    const { temperature, topK, topP } = this.page;
    return {
      temperature: Number(temperature.value),
      top_k: Number(topK.value) > 0 ? Number(topK.value) : null,
      top_p: Number(topP.value) < 1 ? Number(topP.value) : null,
    };
  }

  writing() {
    const { most, seed, pace } = this.page;
    return { most: Number(most.value), seed: Number(seed.value), pace: Number(pace.value) };
  }

  redraw() {
    const { page, session } = this;
    page.written.replaceChildren(...session.tokens.map(piece));
    this.mark();
    page.branches.replaceChildren(
      ...session.branches.map((tokens, i) =>
        el(
          "button",
          { type: "button", title: "go back to this branch", onclick: () => session.restore(i) },
          `\u2026${tokens
            .slice(-24)
            .map(({ text }) => text)
            .join("")}`,
        ),
      ),
    );
    page.branchBox.hidden = !session.branches.length;
  }

  /** Follows the end of the text if it is in sight. @param {Token} token */
  append(token) {
    const { written } = this.page;
    const atEnd = written.scrollTop + written.clientHeight > written.scrollHeight - 40;
    written.append(piece(token, this.session.tokens.length - 1));
    if (atEnd) written.scrollTop = written.scrollHeight;
  }

  mark() {
    const { cursor } = this.session;
    for (const [i, child] of [...this.page.written.children].entries()) {
      child.classList.toggle("after", i >= cursor);
      child.classList.toggle("cursor", i === cursor);
    }
  }

  /** @param {Choice[]} choices */
  showChoices(choices) {
    const shown = choices.slice(0, MOST_CHOICES);
    this.page.choices.replaceChildren(
      ...shown.map((one, i) => choice(one, KEYS[i] ?? "", () => this.pick(one.token))),
    );
  }

  /** @param {number} token */
  pick(token) {
    if (this.page.choices.getAttribute("aria-busy") !== "true") this.session.pick(token);
  }

  /** @param {boolean} is */
  stale(is) {
    this.page.choices.setAttribute("aria-busy", String(is));
  }

  /** @param {boolean} is */
  busy(is) {
    this.page.write.textContent = is ? "Stop" : "Write";
  }

  /** @param {unknown} error */
  fail(error) {
    this.page.message.replaceChildren(...(error ? [failure(error)] : []));
  }
}

/** @param {Token} token  @param {number} number */
function piece(token, number) {
  const made = el("span", { className: token.given ? "given" : "" }, token.text);
  made.dataset.number = String(number);
  return made;
}

/** @param {Choice} choice  @param {string} digit  @param {() => void} pick */
function choice({ text, p, shaped }, digit, pick) {
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        onclick: pick,
        title: `the model: ${percent(p)}, shaped: ${percent(shaped)}`,
      },
      el("span", { className: "digit" }, digit),
      el("span", { className: "token" }, visible(text)),
      el("meter", { min: 0, max: 1, value: shaped, ariaLabel: percent(shaped) }),
      el("span", { className: "p" }, percent(shaped)),
    ),
  );
}

/** @param {number} p */
const percent = (p) => (p > 0 && p < 0.001 ? "<0.1 %" : `${(100 * p).toFixed(1)} %`);

/** @param {HTMLElement} element */
function build(element) {
  const message = el("div", { role: "status" });
  const [text, shaping] = [textPart(), shapingPart()];
  const choices = el("ol", { className: "choices" });
  const right = el(
    "div",
    {},
    el("h2", {}, "What comes next"),
    el("p", { className: "quiet" }, "Click one, or press its digit, to choose it."),
    choices,
    el("h2", {}, "How it is sampled"),
    shaping.box,
  );
  const lead =
    "Let the model write. Click anywhere in the text to go back there and continue differently.";
  element.replaceChildren(
    el("h1", {}, "Play"),
    el("p", { className: "lead" }, lead),
    message,
    el("div", { className: "play" }, text.box, right),
  );
  return { message, choices, ...text.parts, ...shaping.parts };
}

/** The prompt, the text, and the branches to come back to. */
function textPart() {
  const prompt = el("input", {
    type: "text",
    value: "The ",
    size: 28,
    ariaLabel: "prompt",
    spellcheck: false,
  });
  const write = el("button", { type: "button", className: "primary" }, "Write");
  const begin = el("button", { type: "submit" }, "Begin");
  const form = el("form", { className: "row" }, prompt, begin, write);
  const ariaLabel = "The text: arrow keys move back and forth";
  const written = el("div", {
    className: "written",
    tabIndex: 0,
    role: "textbox",
    ariaLabel,
    ariaReadOnly: "true",
  });
  const branches = el("div", { className: "branches" });
  const branchBox = el("div", { hidden: true }, el("h2", {}, "Branches"), branches);
  const parts = { prompt, write, form, written, branches, branchBox };
  return { box: el("div", {}, form, written, branchBox), parts };
}

/** How a token is chosen. */
function shapingPart() {
  const temperature = slider({ min: 0, max: 2, step: 0.05, value: 0.8 }, twoPlaces);
  const topK = slider({ min: 0, max: 100, step: 1, value: 0 }, (v) => (v === "0" ? "all" : v));
  const topP = slider({ min: 0.05, max: 1, step: 0.01, value: 1 }, twoPlaces);
  const most = el("input", { type: "number", min: 1, max: 5000, value: 500 });
  const seed = el("input", { type: "number", min: 0, max: 4294967295, value: 0 });
  const pace = el("select", {}, ...options(PACES));
  const made = el(
    "div",
    { className: "sliders" },
    sliderRow("temperature", temperature),
    sliderRow("top-k", topK),
    sliderRow("top-p", topP),
    wholeRow("tokens", most),
    wholeRow("seed", seed),
    wholeRow("pace", pace),
  );
  const inputs = { temperature: temperature.input, topK: topK.input, topP: topP.input };
  return { box: made, parts: { ...inputs, most, seed, pace } };
}

/** @type {[string, string][]} */
const PACES = [
  ["0", "as fast as it goes"],
  ["60", "60 tokens a second"],
  ["15", "15 tokens a second"],
];

/** @param {string} value */
const twoPlaces = (value) => Number(value).toFixed(2);

/**
 * A slider, and its value in words.
 * @param {{ min: number, max: number, step: number, value: number }} range
 * @param {(value: string) => string} say
 */
function slider(range, say) {
  const input = el("input", { type: "range", ...range });
  const output = el("output", {}, say(input.value));
  input.addEventListener("input", () => {
    output.textContent = say(input.value);
  });
  return { input, output };
}

/** @param {string} name  @param {ReturnType<typeof slider>} slider */
const sliderRow = (name, { input, output }) => el("label", {}, name, input, output);

/** @param {string} name  @param {HTMLElement} input */
const wholeRow = (name, input) => el("label", { className: "whole" }, name, input);

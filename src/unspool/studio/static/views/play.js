// Play: the model writes a text, token by token; click any point of it to go back there.

import { api, el, empty, failure, raw } from "../calls.js";

const KEYS = "123456789";
const NAMES = { most: "tokens" };

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty("Choose a run first: a language model continues what you type.", "#/runs", "Runs"),
    );
    return undefined;
  }
  const page = build(element);
  const at = { session: null, tokens: [], cursor: 0, branches: [], stop: null };

  const shape = () => ({
    temperature: Number(page.temperature.value),
    top_k: Number(page.topK.value) > 0 ? Number(page.topK.value) : null,
    top_p: Number(page.topP.value) < 1 ? Number(page.topP.value) : null,
  });
  const last = () => at.tokens[at.cursor - 1]?.node;
  /** Says whether the choices shown belong to another place, so that none can be taken. */
  const stale = (is) => page.choices.setAttribute("aria-busy", String(is));

  async function guarded(action) {
    page.message.replaceChildren();
    try {
      await action();
    } catch (error) {
      if (error.name !== "AbortError") page.message.replaceChildren(failure(error));
    }
  }

  const begin = () =>
    guarded(async () => {
      halt();
      const made = await api(`/api/play/open/${encodeURIComponent(run)}`, {
        json: { text: page.prompt.value },
      });
      Object.assign(at, { session: made.session, branches: [], cursor: made.tokens.length });
      at.tokens = made.tokens.map((token) => ({ ...token, given: true }));
      redraw();
      await choices();
    });

  const write = () =>
    guarded(async () => {
      if (at.session === null) await begin();
      if (at.session === null) return;
      if (at.stop) return halt();
      stale(true);
      fork();
      at.stop = new AbortController();
      page.write.textContent = "Stop";
      const json = {
        ...shape(),
        most: Number(page.most.value),
        seed: Number(page.seed.value),
        pace: Number(page.pace.value),
      };
      try {
        const answer = await raw(`/api/play/write/${at.session}/${last()}`, {
          json,
          signal: at.stop.signal,
        });
        for await (const tokens of lines(answer.body)) {
          const error = tokens.find((token) => token.error);
          for (const token of tokens) if (!token.error) append(token);
          if (error) throw new Error(error.error);
        }
      } finally {
        at.stop = null;
        page.write.textContent = "Write";
        choices().catch((error) => page.message.replaceChildren(failure(error))); // also if it was stopped
      }
    });

  const pick = (token) =>
    guarded(async () => {
      if (page.choices.getAttribute("aria-busy") === "true") return;
      halt();
      stale(true);
      fork();
      append(await api(`/api/play/pick/${at.session}/${last()}/${token}`, { method: "POST" }));
      await choices();
    });

  /** Turns what follows the cursor into a branch to come back to. */
  function fork() {
    if (at.cursor < at.tokens.length) {
      at.branches.push([...at.tokens]);
      at.tokens = at.tokens.slice(0, at.cursor);
      redraw();
    }
  }

  function append(token) {
    at.tokens.push(token);
    at.cursor = at.tokens.length;
    const atEnd =
      page.written.scrollTop + page.written.clientHeight > page.written.scrollHeight - 40;
    page.written.append(piece(token, at.tokens.length - 1));
    if (atEnd) page.written.scrollTop = page.written.scrollHeight;
  }

  function rewind(cursor) {
    halt();
    at.cursor = Math.max(1, Math.min(at.tokens.length, cursor));
    mark();
    stale(true);
    guarded(choices);
  }

  function halt() {
    at.stop?.abort();
  }

  function piece(token, number) {
    const made = el("span", { className: token.given ? "given" : "" }, token.text);
    made.dataset.number = number;
    return made;
  }

  function mark() {
    [...page.written.children].forEach((child, i) => {
      child.classList.toggle("after", i >= at.cursor);
      child.classList.toggle("cursor", i === at.cursor);
    });
  }

  function redraw() {
    page.written.replaceChildren(...at.tokens.map(piece));
    mark();
    page.branches.replaceChildren(
      ...at.branches.map((tokens, i) =>
        el(
          "button",
          { type: "button", title: "go back to this branch", onclick: () => restore(i) },
          `\u2026${tokens
            .slice(-24)
            .map(({ text }) => text)
            .join("")}`,
        ),
      ),
    );
    page.branchBox.hidden = !at.branches.length;
  }

  function restore(i) {
    halt();
    const [tokens] = at.branches.splice(i, 1);
    if (at.tokens.length) at.branches.push(at.tokens);
    Object.assign(at, { tokens, cursor: tokens.length });
    stale(true);
    redraw();
    guarded(choices);
  }

  async function choices() {
    if (at.session === null || last() === undefined) return;
    const node = last();
    const found = await api(`/api/play/next/${at.session}/${node}`, { json: shape() });
    if (node !== last()) return;
    page.choices.replaceChildren(
      ...found
        .slice(0, 12)
        .map(({ token, text, p, shaped }, i) =>
          el(
            "li",
            {},
            el(
              "button",
              {
                type: "button",
                onclick: () => pick(token),
                title: `the model: ${percent(p)}, shaped: ${percent(shaped)}`,
              },
              el("span", { className: "digit" }, KEYS[i] ?? ""),
              el("span", { className: "token" }, visible(text)),
              el("meter", { min: 0, max: 1, value: shaped, ariaLabel: percent(shaped) }),
              el("span", { className: "p" }, percent(shaped)),
            ),
          ),
        ),
    );
    stale(false);
  }

  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  page.write.addEventListener("click", write);
  page.written.addEventListener("click", ({ target }) => {
    if (target.dataset.number !== undefined) rewind(Number(target.dataset.number) + 1);
  });
  page.written.addEventListener("keydown", (event) => {
    const to = {
      ArrowLeft: at.cursor - 1,
      ArrowRight: at.cursor + 1,
      Home: 1,
      End: at.tokens.length,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    rewind(to);
  });
  for (const slider of [page.temperature, page.topK, page.topP])
    slider.addEventListener("change", () => guarded(choices));
  const key = ({ key, target }) => {
    const i = KEYS.indexOf(key);
    if (i < 0 || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    page.choices.children[i]?.querySelector("button").click();
  };
  addEventListener("keydown", key);
  await begin();
  return () => {
    halt();
    removeEventListener("keydown", key);
  };
}

function build(element) {
  const slider = (options, say = String) => {
    const input = el("input", { type: "range", ...options });
    const output = el("output", {}, say(input.value));
    input.addEventListener("input", () => {
      output.textContent = say(input.value);
    });
    return { input, output };
  };
  const temperature = slider({ min: 0, max: 2, step: 0.05, value: 0.8 }, (v) =>
    Number(v).toFixed(2),
  );
  const topK = slider({ min: 0, max: 100, step: 1, value: 0 }, (v) => (v === "0" ? "all" : v));
  const topP = slider({ min: 0.05, max: 1, step: 0.01, value: 1 }, (v) => Number(v).toFixed(2));
  const page = {
    temperature: temperature.input,
    topK: topK.input,
    topP: topP.input,
    prompt: el("input", {
      type: "text",
      value: "The ",
      size: 28,
      ariaLabel: "prompt",
      spellcheck: false,
    }),
    most: el("input", { type: "number", min: 1, max: 5000, value: 500 }),
    seed: el("input", { type: "number", min: 0, max: 4294967295, value: 0 }),
    pace: el(
      "select",
      {},
      ...[
        ["0", "as fast as it goes"],
        ["60", "60 tokens a second"],
        ["15", "15 tokens a second"],
      ].map(([value, name]) => el("option", { value }, name)),
    ),
    write: el("button", { type: "button", className: "primary" }, "Write"),
    written: el("div", {
      className: "written",
      tabIndex: 0,
      role: "textbox",
      ariaLabel: "The text: arrow keys move back and forth",
    }),
    message: el("div", { role: "status" }),
    choices: el("ol", { className: "choices" }),
    branches: el("div", { className: "branches" }),
  };
  page.written.setAttribute("aria-readonly", "true");
  page.form = el(
    "form",
    { className: "row" },
    page.prompt,
    el("button", { type: "submit" }, "Begin"),
    page.write,
  );
  page.branchBox = el("div", { hidden: true }, el("h2", {}, "Branches"), page.branches);
  const row = (name, { input, output }) => el("label", {}, name, input, output);
  element.replaceChildren(
    el("h1", {}, "Play"),
    el(
      "p",
      { className: "lead" },
      "Let the model write. Click anywhere in the text to go back there and continue differently.",
    ),
    page.message,
    el(
      "div",
      { className: "play" },
      el("div", {}, page.form, page.written, page.branchBox),
      el(
        "div",
        {},
        el("h2", {}, "What comes next"),
        el("p", { className: "quiet" }, "Click one, or press its digit, to choose it."),
        page.choices,
        el("h2", {}, "How it is sampled"),
        el(
          "div",
          { className: "sliders" },
          row("temperature", temperature),
          row("top-k", topK),
          row("top-p", topP),
          ...["most", "seed", "pace"].map((name) =>
            el("label", { className: "whole" }, NAMES[name] ?? name, page[name]),
          ),
        ),
      ),
    ),
  );
  return page;
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read().catch(broken);
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) if (line) yield JSON.parse(line);
  }
}

const percent = (p) => (p > 0 && p < 0.001 ? "<0.1 %" : `${(100 * p).toFixed(1)} %`);
const visible = (text) =>
  text.replace(/\n/g, "\u21b5").replace(/\t/g, "\u21e5").replace(/ /g, "\u2423");

function broken(error) {
  if (error.name === "AbortError") throw error;
  throw new Error(
    "The studio stopped responding: is `unspool studio` still running in its terminal?",
  );
}

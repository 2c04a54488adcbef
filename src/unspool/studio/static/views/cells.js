// @ts-check
// Units: a text coloured by any unit; all units at a glance; the units that track a property or a
// span of the text.

import { el, empty, failure, options } from "../elements.js";
import { quoted } from "../formats.js";
import { HeatMap } from "../heatmap.js";
import { NextTokens } from "../next-tokens.js";
import { TextMap } from "../textmap.js";
import { Tiles } from "../tiles.js";
import { build, showLegend, showRanked } from "./cells-page.js";
import { UnitsSession } from "./cells-session.js";

/** @typedef {import("./cells-session.js").Change} Change */
/** @typedef {import("./cells-session.js").Trace} Trace */

const PATTERN = "/"; // among the annotations: a regular expression

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty("Choose a run first: this view shows its units on a text.", "#/runs", "Runs"),
    );
    return undefined;
  }
  const view = new Units(element, run);
  await view.sample();
  return () => view.end();
}

/** Shows a session on the page. */
class Units {
  /** @param {HTMLElement} element  @param {string} run */
  constructor(element, run) {
    this.element = element;
    this.session = new UnitsSession(run);
    this.page = build(element, run);
    const { page, session } = this;
    /** @type {NextTokens | null} */
    this.next = null;
    this.text = new TextMap(page.text, {
      onCaret: (token) => this.choose({ token }),
      onSpan: (span) => this.mark(span),
      onHover: (token) => this.next?.show(token ?? session.token),
    });
    this.tiles = new Tiles(page.tiles, {
      onPick: (unit) => this.choose({ unit }),
      onHover: (unit) => this.readTile(unit),
    });
    this.map = new HeatMap(page.map, {
      onPick: (token, unit) => this.choose({ token, unit }),
      onHover: (token, unit) => this.readMap(token, unit),
    });
    this.listen();
  }

  listen() {
    const { page } = this;
    page.layer.addEventListener("change", () =>
      this.choose({ layer: Number(page.layer.value), unit: 0 }),
    );
    page.quantity.addEventListener("change", () => this.choose({ quantity: page.quantity.value }));
    page.unit.addEventListener(
      "input",
      () => page.unit.value !== "" && this.choose({ unit: Number(page.unit.value) }),
    );
    page.surprise.addEventListener("change", () => this.colour());
    page.mean.addEventListener("change", () => this.showTiles());
    page.sort.addEventListener("change", () => this.sort(page.sort.value));
    page.pattern.addEventListener("change", () => this.sort(PATTERN));
    page.threshold.addEventListener("input", () => this.findSpan());
    page.spanning.addEventListener("change", () => {
      this.text.spanning = page.spanning.checked;
    });
    page.read.addEventListener("click", () => this.read(page.source.value));
    page.held.addEventListener("click", () => this.sample());
    page.file.addEventListener("change", async () => {
      const [file] = page.file.files ?? [];
      if (file) await this.read((await file.slice(0, 200_000).text()).slice(0, 20_000));
    });
  }

  // ---- reading a text ----

  async sample() {
    try {
      await this.read(await this.session.sample());
    } catch (error) {
      this.fail(error);
    }
  }

  /** @param {string} text */
  async read(text) {
    const { page, session } = this;
    page.source.value = text;
    this.busy(true);
    try {
      const trace = await session.read(text);
      const next = session.next(trace); // in parallel with the layout of the text
      this.fillChoices(trace);
      this.text.set(trace.tokens);
      await this.choose({ layer: Math.min(session.layer, trace.layers.length - 1) });
      this.next = makeNext(page.next, trace, await next);
      this.next?.show(0);
      page.message.replaceChildren(...(trace.note ? [el("p", {}, trace.note)] : []));
    } catch (error) {
      this.fail(error);
    }
    this.busy(false);
  }

  /** @param {Trace} trace */
  fillChoices({ layers, annotations }) {
    const { page, session } = this;
    page.layer.replaceChildren(
      ...options(
        layers.map((_, i) => [i, `${i + 1} of ${layers.length}`]),
        session.layer,
      ),
    );
    /** @type {[string, string][]} */
    const named = annotations.map((name) => [name, name]);
    page.sort.replaceChildren(
      ...options([["", "number"], ...named, [PATTERN, "a pattern\u2026"]], ""),
    );
  }

  /** @param {boolean} is */
  busy(is) {
    const { page } = this;
    this.element.setAttribute("aria-busy", String(is));
    for (const button of [page.read, page.held]) button.disabled = is;
    if (is) page.message.replaceChildren(el("p", { className: "quiet" }, "Reading\u2026"));
    else if (page.message.textContent === "Reading\u2026") page.message.replaceChildren();
  }

  /** @param {unknown} error */
  fail(error) {
    this.page.message.replaceChildren(failure(error));
    this.busy(false);
  }

  // ---- what is chosen ----

  /**
   * Chooses a layer, quantity, unit or token, and updates everything that shows it.
   * @param {Change} change
   */
  async choose(change) {
    const { session, page } = this;
    const chosen = await session.choose(change);
    if (!chosen) return;
    if (chosen.isOther && session.values) {
      this.map.set(session.values, session.tokens.length, session.shape.units);
      this.map.arrange(session.order);
      if (change.layer !== undefined) this.sort(page.sort.value);
    }
    this.show(change);
  }

  /** @param {Change} change */
  show(change) {
    const { page, session } = this;
    const { layer, quantity, unit, token, tokens, shape } = session;
    page.layer.value = String(layer);
    page.quantity.replaceChildren(
      ...options(
        shape.quantities.map(({ name, label }) => [name, label]),
        quantity,
      ),
    );
    page.unit.max = String(shape.units - 1);
    if (document.activeElement !== page.unit) page.unit.value = String(unit);
    this.colour();
    this.showTiles();
    this.map.mark(token, unit);
    const { shown, range } = session.described;
    page.chosen.textContent =
      `unit ${unit} of layer ${layer + 1}: ${shown} = ${session.valueAt(unit, token)} ` +
      `at ${quoted(tokens[token].trim() || "\u2423")}`;
    showLegend(page.scale, shown, range);
    showRanked(page.ranked, session, (one) => this.choose({ layer: one.layer, unit: one.unit }));
    if (change.token !== undefined) this.next?.show(token);
    else this.text.showCaret();
  }

  colour() {
    const isSurprise = this.page.surprise.checked && this.next;
    this.text.colour(isSurprise ? isSurprise.coloured : this.session.overTime());
  }

  showTiles() {
    const { session } = this;
    this.tiles.set(session.ofUnits(this.page.mean.checked), session.unit, session.order);
  }

  /** @param {number | null} unit */
  readTile(unit) {
    const { session } = this;
    this.page.readout.textContent =
      unit === null ? "" : `unit ${unit}: ${session.valueAt(unit, session.token)}`;
  }

  /** @param {number | null} token  @param {number | null} unit */
  readMap(token, unit) {
    const { session, page } = this;
    if (token === null || unit === null) page.mapReadout.textContent = "";
    else {
      const where = `unit ${unit}, ${quoted(session.tokens[token])} at ${token}`;
      page.mapReadout.textContent = `${where}: ${session.valueAt(unit, token)}`;
    }
  }

  // ---- which units tell something ----

  /**
   * Orders the units by how well they match an annotation, "" for their number.
   * @param {string} name
   */
  async sort(name) {
    const { page, session } = this;
    page.sort.value = name;
    page.patternBox.hidden = name !== PATTERN;
    if (name === PATTERN && !page.pattern.value) {
      page.pattern.focus();
      return;
    }
    if (name)
      await this.rank(name === PATTERN ? { pattern: page.pattern.value } : { annotation: name });
    else if (!session.span) session.ranked = [];
    this.arrange();
  }

  /** @param {{ annotation: string } | { pattern: string }} of */
  async rank(of) {
    this.busy(true);
    try {
      await this.session.rank(of);
    } catch (error) {
      this.fail(error);
    }
    this.busy(false);
  }

  arrange() {
    this.map.arrange(this.session.order);
    this.show({});
  }

  /** @param {number[] | null} span */
  mark(span) {
    this.session.span = span;
    this.findSpan();
  }

  /** Orders the units by how much they are on in the span and off elsewhere. */
  async findSpan() {
    const { page, session } = this;
    const { span, tokens } = session;
    page.spanBox.hidden = !span;
    if (!span) return;
    try {
      if (!(await session.rankSpan(span, page.threshold.value))) return;
    } catch (error) {
      this.fail(error);
      return;
    }
    const words = tokens.slice(span[0], span[1] + 1).join("");
    const shown = words.length > 40 ? `${words.slice(0, 40)}\u2026` : words;
    page.spanText.textContent = `on in ${quoted(shown)} and off elsewhere`;
    page.sort.value = "";
    this.arrange();
  }

  end() {
    for (const part of [this.text, this.tiles, this.map]) part.end();
  }
}

/** @param {HTMLElement} element  @param {Trace} trace  @param {ArrayBuffer | null} bytes */
const makeNext = (element, { tokens, vocabulary }, bytes) =>
  vocabulary && bytes && new NextTokens(element, { tokens, vocabulary }, bytes);

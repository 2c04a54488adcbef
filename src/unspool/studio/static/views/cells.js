// Units: a text coloured by any unit; all units at a glance; the units that track a property or a span of the text.

import { api, el, empty, failure, octets } from "../calls.js";
import { HeatMap } from "../heatmap.js";
import { NextTokens } from "../next-tokens.js";
import { TextMap } from "../textmap.js";
import { Tiles } from "../tiles.js";
import { page as makePage } from "./cells-page.js";

const NAMES = {
  h: "h, hidden state",
  c: "c, cell state",
  i: "i, input gate",
  f: "f, forget gate",
  g: "g, candidate",
  o: "o, output gate",
  r: "r, reset gate",
  z: "z, update gate",
  n: "n, candidate",
};
const GATES = "ifozr";

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty("Choose a run first: this view shows its units on a text.", "#/runs", "Runs"),
    );
    return () => {};
  }
  const view = new Units(element, run);
  await view.sample();
  return () => view.end();
}

class Units {
  constructor(element, run) {
    Object.assign(this, {
      run,
      trace: null,
      values: null,
      held: new Map(),
      layer: 0,
      quantity: "c",
      unit: 0,
      token: 0,
    });
    Object.assign(this, { mean: false, order: null, ranked: [], span: null });
    this.page = makePage(element, run);
    const { page } = this;
    const pick = (unit) => this.choose({ unit });
    this.text = new TextMap(page.text, {
      onCaret: (token) => this.choose({ token }),
      onSpan: (first, last) => this.mark(first, last),
      onHover: (token) => this.next?.show(token ?? this.token),
    });
    this.tiles = new Tiles(page.tiles, { onPick: pick, onHover: (unit) => this.readTile(unit) });
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
    page.mean.addEventListener("change", () => this.paintTiles());
    page.sort.addEventListener("change", () => this.sort(page.sort.value));
    page.pattern.addEventListener("change", () => this.sort("/"));
    page.threshold.addEventListener("input", () => this.findSpan());
    page.spanning.addEventListener("change", () => (this.text.spanning = page.spanning.checked));
    page.read.addEventListener("click", () => this.read(page.source.value));
    page.held.addEventListener("click", () => this.sample());
    page.file.addEventListener("change", async () => {
      const [file] = page.file.files;
      if (file) await this.read((await file.slice(0, 200_000).text()).slice(0, 20_000));
    });
  }

  /** Loads part of the run's held-out text, another one each time. */
  async sample() {
    try {
      const { text } = await api(
        `/api/cells/sample/${this.path}?number=${(this.number = (this.number ?? -1) + 1)}`,
      );
      await this.read(text);
    } catch (error) {
      this.fail(error);
    }
  }

  get path() {
    return encodeURIComponent(this.run);
  }

  fail(error) {
    this.page.message.replaceChildren(failure(error));
    this.page.busy(false);
  }

  async read(text) {
    this.page.source.value = text;
    this.page.busy(true);
    try {
      const trace = await api(`/api/cells/trace/${this.path}`, { method: "POST", json: { text } });
      Object.assign(this, { trace, values: null, ranked: [], order: null, span: null, token: 0 });
      this.held.clear();
      const next = trace.vocabulary && octets(`/api/cells/next/${trace.id}`); // in parallel with the layout of the text
      this.fillChoices();
      this.text.set(trace.tokens);
      await this.choose({ layer: Math.min(this.layer, trace.layers.length - 1) });
      this.next = next && new NextTokens(this.page.next, trace, await next);
      this.next?.show(0);
      this.page.message.replaceChildren(...(trace.note ? [el("p", {}, trace.note)] : []));
    } catch (error) {
      this.fail(error);
    }
    this.page.busy(false);
  }

  fillChoices() {
    const { page, trace } = this;
    const options = (pairs, chosen) =>
      pairs.map(([value, name]) => el("option", { value, selected: value === chosen }, name));
    page.layer.replaceChildren(
      ...options(
        trace.layers.map((_, i) => [i, `${i + 1} of ${trace.layers.length}`]),
        this.layer,
      ),
    );
    page.sort.replaceChildren(
      ...options(
        [
          ["", "number"],
          ...trace.annotations.map((name) => [name, name]),
          ["/", "a pattern\u2026"],
        ],
        "",
      ),
    );
  }

  /** Chooses a unit, layer, quantity or token, and updates everything that shows it. */
  async choose(change) {
    if (!this.trace) return;
    const before = `${this.layer}/${this.quantity}`;
    Object.assign(this, change);
    const { units, quantities } = this.trace.layers[this.layer];
    if (!quantities.includes(this.quantity)) this.quantity = quantities[0];
    this.unit = Math.max(0, Math.min(units - 1, Math.trunc(this.unit) || 0));
    if (`${this.layer}/${this.quantity}` !== before || !this.values) {
      if (!(await this.fetchValues())) return;
      if ("layer" in change) this.sort(this.page.sort.value);
    }
    this.show(change);
  }

  /** Loads the values of a layer's quantity, int8 [H, T]. Returns false if another choice has overtaken this one. */
  async fetchValues() {
    const key = `${this.layer}/${this.quantity}`;
    const { id, tokens } = this.trace;
    if (!this.held.has(key))
      this.held.set(key, new Int8Array(await octets(`/api/cells/values/${id}/${key}`)));
    if (key !== `${this.layer}/${this.quantity}` || id !== this.trace.id) return false;
    this.values = this.held.get(key);
    this.map.set(this.values, tokens.length, this.trace.layers[this.layer].units);
    if (this.order) this.map.arrange(this.order);
    return true;
  }

  show(change) {
    const { page, trace, layer, quantity, unit, token } = this;
    const { quantities, units } = trace.layers[layer];
    page.layer.value = layer;
    page.quantity.replaceChildren(
      ...quantities.map((name) =>
        el("option", { value: name, selected: name === quantity }, NAMES[name] ?? name),
      ),
    );
    page.unit.max = units - 1;
    if (document.activeElement !== page.unit) page.unit.value = unit;
    this.colour();
    this.paintTiles();
    this.map.mark(token, unit);
    page.chosen.textContent = `unit ${unit} of layer ${layer + 1}: ${quantity === "c" ? "tanh c" : quantity} = ${this.valueAt(unit, token)} at \u201c${trace.tokens[token].trim() || "\u2423"}\u201d`;
    page.legend(GATES.includes(quantity), quantity === "c" ? "tanh c: " : `${quantity}: `);
    page.list(this.ranked, this.layer, this.unit, (one) =>
      this.choose({ layer: one.layer, unit: one.unit }),
    );
    if ("token" in change) this.next?.show(token);
    else this.text.showCaret();
  }

  /** Returns the number behind an int8; for c its tanh. */
  valueAt(unit, token) {
    const value = this.values[unit * this.trace.tokens.length + token] / 127;
    return (GATES.includes(this.quantity) ? (value + 1) / 2 : value)
      .toFixed(2)
      .replace("-", "\u2212");
  }

  colour() {
    const T = this.trace.tokens.length;
    const surprise = this.page.surprise.checked && this.next;
    this.text.colour(
      surprise ? this.next.coloured : this.values.subarray(this.unit * T, (this.unit + 1) * T),
    );
  }

  paintTiles() {
    const [T, { units }] = [this.trace.tokens.length, this.trace.layers[this.layer]];
    const values = new Int8Array(units);
    for (let unit = 0; unit < units; unit++)
      values[unit] = this.page.mean.checked
        ? this.meanOf(unit, T)
        : this.values[unit * T + this.token];
    this.tiles.set({ values, chosen: this.unit, order: this.order });
  }

  meanOf(unit, T) {
    let sum = 0;
    for (let i = unit * T; i < (unit + 1) * T; i++) sum += this.values[i];
    return Math.round(sum / T);
  }

  readTile(unit) {
    this.page.readout.textContent =
      unit === null ? "" : `unit ${unit}: ${this.valueAt(unit, this.token)}`;
  }

  readMap(token, unit) {
    this.page.mapReadout.textContent =
      token === null
        ? ""
        : `unit ${unit}, \u201c${this.trace.tokens[token]}\u201d at ${token}: ${this.valueAt(unit, token)}`;
  }

  /** Orders the units by how well they match an annotation, "" for their number, or "span" for the marked span. */
  async sort(name) {
    this.page.sort.value = name;
    this.page.patternBox.hidden = name !== "/";
    if (name === "/" && !this.page.pattern.value) return this.page.pattern.focus();
    if (name !== "") this.ranked = await this.rank(name).catch((error) => (this.fail(error), []));
    else this.ranked = this.span ? this.ranked : [];
    this.arrange();
  }

  /** Ranks units by an annotation, or by a regular expression after "/". */
  async rank(name) {
    const { id } = this.trace;
    const query = new URLSearchParams(
      name === "/" ? { pattern: this.page.pattern.value } : { annotation: name },
    );
    this.page.busy(true);
    try {
      return await api(`/api/cells/scores/${id}?${query}`);
    } finally {
      this.page.busy(false);
    }
  }

  arrange() {
    const { units } = this.trace.layers[this.layer];
    const first = this.ranked.filter(({ layer }) => layer === this.layer).map(({ unit }) => unit);
    const rest = Array.from({ length: units }, (_, i) => i).filter((unit) => !first.includes(unit));
    this.order = first.length ? Int32Array.from([...first, ...rest]) : null;
    this.map.arrange(this.order);
    this.show({});
  }

  mark(first, last) {
    this.span = first === null ? null : [first, last];
    this.findSpan();
  }

  /** Ranks units that are on in the span and off elsewhere (Strobelt et al. 2018, LSTMVis). */
  async findSpan() {
    const { page, span, trace } = this;
    page.spanBox.hidden = !span;
    if (!span) return;
    const query = new URLSearchParams({
      first: span[0],
      last: span[1],
      threshold: page.threshold.value,
    });
    const mine = (this.asked = (this.asked ?? 0) + 1);
    try {
      const ranked = await api(`/api/cells/span/${trace.id}?${query}`);
      if (mine !== this.asked) return;
      const words = trace.tokens.slice(span[0], span[1] + 1).join("");
      page.spanText.textContent = `on in \u201c${words.length > 40 ? `${words.slice(0, 40)}\u2026` : words}\u201d and off elsewhere`;
      page.sort.value = "";
      this.ranked = ranked;
      this.arrange();
    } catch (error) {
      this.fail(error);
    }
  }

  end() {
    for (const part of [this.text, this.tiles, this.map]) part.end();
  }
}

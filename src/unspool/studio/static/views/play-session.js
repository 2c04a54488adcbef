// @ts-check
// The state of Play: a text that the model writes, token by token, and its branches.

import { api, isAbort, raw } from "../calls.js";
import { clamp } from "../canvas.js";

/**
 * A token of the text; `given` ones are the prompt's.
 * @typedef {{ node: number, text: string, given?: boolean, error?: string }} Token
 */
/** @typedef {{ temperature: number, top_k: number | null, top_p: number | null }} Shape */
/** @typedef {{ most: number, seed: number, pace: number }} Writing */
/**
 * A token that may come next, and its probability by the model and as it is shaped.
 * @typedef {{ token: number, text: string, p: number, shaped: number }} Choice
 */

/**
 * What shows the session.
 * @typedef {object} Face
 * @property {() => Shape} shape
 * @property {() => Writing} writing
 * @property {() => void} redraw the text or the branches are others
 * @property {(token: Token) => void} append a token came at the end
 * @property {() => void} mark the cursor moved
 * @property {(choices: Choice[]) => void} showChoices
 * @property {(is: boolean) => void} stale whether the choices shown belong to another place, so
 *   that none can be taken
 * @property {(is: boolean) => void} busy whether the model writes
 * @property {(error: unknown) => void} fail null: nothing is wrong
 */

export class PlaySession {
  /** @param {string} run  @param {Face} face */
  constructor(run, face) {
    this.run = run;
    this.face = face;
    /** @type {string | null} */
    this.session = null;
    /** @type {Token[]} */
    this.tokens = [];
    this.cursor = 0;
    /** Texts to come back to. @type {Token[][]} */
    this.branches = [];
    /** Ends the writing. @type {AbortController | null} */
    this.stop = null;
  }

  /** Returns the node of the token before the cursor. */
  get node() {
    return this.tokens[this.cursor - 1]?.node;
  }

  /** @param {string} text */
  begin(text) {
    return this.guarded(async () => {
      this.halt();
      const made = await api(`/api/play/open/${encodeURIComponent(this.run)}`, { json: { text } });
      /** @type {Token[]} */
      const tokens = made.tokens;
      this.session = made.session;
      this.branches = [];
      this.tokens = tokens.map((token) => ({ ...token, given: true }));
      this.cursor = tokens.length;
      this.face.redraw();
      await this.choices();
    });
  }

  /**
   * Writes after the cursor, or stops if it writes already.
   * @param {string} prompt read first if there is no text
   */
  write(prompt) {
    return this.guarded(async () => {
      if (this.session === null) await this.begin(prompt);
      if (this.session === null) return;
      if (this.stop) {
        this.halt();
        return;
      }
      this.face.stale(true);
      this.fork();
      this.stop = new AbortController();
      this.face.busy(true);
      try {
        await this.stream(this.stop.signal);
      } finally {
        this.stop = null;
        this.face.busy(false);
        this.choices().catch((error) => this.face.fail(error)); // also if it was stopped
      }
    });
  }

  /** @param {AbortSignal} signal */
  async stream(signal) {
    const json = { ...this.face.shape(), ...this.face.writing() };
    const { body } = await raw(`/api/play/write/${this.session}/${this.node}`, { json, signal });
    for await (const tokens of lines(body)) {
      for (const token of tokens) if (!token.error) this.append(token);
      const error = tokens.find((token) => token.error);
      if (error) throw new Error(error.error);
    }
  }

  /** Continues with a token that the user chose. @param {number} token */
  pick(token) {
    return this.guarded(async () => {
      this.halt();
      this.face.stale(true);
      this.fork();
      this.append(
        await api(`/api/play/pick/${this.session}/${this.node}/${token}`, { method: "POST" }),
      );
      await this.choices();
    });
  }

  /** Turns what follows the cursor into a branch to come back to. */
  fork() {
    if (this.cursor >= this.tokens.length) return;
    this.branches.push([...this.tokens]);
    this.tokens = this.tokens.slice(0, this.cursor);
    this.face.redraw();
  }

  /** @param {Token} token */
  append(token) {
    this.tokens.push(token);
    this.cursor = this.tokens.length;
    this.face.append(token);
  }

  /** @param {number} cursor */
  rewind(cursor) {
    this.halt();
    this.cursor = clamp(cursor, 1, this.tokens.length);
    this.face.mark();
    this.face.stale(true);
    return this.guarded(() => this.choices());
  }

  /** Goes back to a branch; the text becomes one. @param {number} number */
  restore(number) {
    this.halt();
    const [tokens] = this.branches.splice(number, 1);
    if (this.tokens.length) this.branches.push(this.tokens);
    this.tokens = tokens;
    this.cursor = tokens.length;
    this.face.stale(true);
    this.face.redraw();
    return this.guarded(() => this.choices());
  }

  halt() {
    this.stop?.abort();
  }

  /** Shows the likeliest tokens after the cursor, unless it has moved meanwhile. */
  async choices() {
    const { node } = this;
    if (this.session === null || node === undefined) return;
    const found = await api(`/api/play/next/${this.session}/${node}`, { json: this.face.shape() });
    if (node !== this.node) return;
    this.face.showChoices(found);
    this.face.stale(false);
  }

  /** Shows what comes next, as it is shaped now. */
  reshape() {
    return this.guarded(() => this.choices());
  }

  /** @param {() => Promise<void>} action */
  async guarded(action) {
    this.face.fail(null);
    try {
      await action();
    } catch (error) {
      if (!isAbort(error)) this.face.fail(error);
    }
  }
}

/**
 * Yields the lines of a stream, each a list of tokens.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>> | null} body
 * @returns {AsyncGenerator<Token[]>}
 */
async function* lines(body) {
  if (!body) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read().catch(broken);
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) if (line) yield JSON.parse(line);
  }
}

/** @param {unknown} error  @returns {never} */
function broken(error) {
  if (isAbort(error)) throw error;
  throw new Error(
    "The studio stopped responding: is `unspool studio` still running in its terminal?",
  );
}

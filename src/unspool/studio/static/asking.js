// @ts-check
// Requests of a view, of which only the newest counts.

import { el, failure } from "./elements.js";

export class Asking {
  /** @param {HTMLElement} message says that it waits, and what went wrong */
  constructor(message) {
    this.message = message;
    this.newest = 0;
  }

  /**
   * Returns the answer; undefined if the request failed or a newer one has overtaken it.
   * @template Answer
   * @param {() => Promise<Answer>} request
   * @param {string} [waiting] shown until the answer is there
   * @returns {Promise<Answer | undefined>}
   */
  async ask(request, waiting) {
    const mine = ++this.newest;
    if (waiting) this.message.replaceChildren(el("p", { className: "quiet" }, waiting));
    try {
      const answer = await request();
      if (mine !== this.newest) return undefined;
      this.message.replaceChildren();
      return answer;
    } catch (error) {
      if (mine === this.newest) this.message.replaceChildren(failure(error));
      return undefined;
    }
  }

  /** Ignores answers that are still to come. */
  end() {
    this.newest = -1;
  }
}

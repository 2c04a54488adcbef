// @ts-check
// The runs of the folder, which of them are chosen, and their losses as they come.

import { api } from "../calls.js";
import { colourOf, thinned } from "../curve.js";

const MOST_POINTS = 1500; // about as many as a screen has

/**
 * A run of the list; what is wrong with it stands in `error`.
 * @typedef {object} RunSummary
 * @property {string} name
 * @property {string} [error]
 * @property {string} [failure]
 * @property {boolean} [starting]
 * @property {boolean} [stopping]
 * @property {boolean} [training]
 * @property {boolean} [ours] whether this studio trains it
 * @property {boolean} [has_weights]
 * @property {string} [kind]
 * @property {string[]} [views]
 * @property {string | null} [cell]
 * @property {number} [num_layers]
 * @property {number | null} [hidden_size]
 * @property {number | null} [tokens]
 * @property {number} [step]
 * @property {number} [val_loss_nats]
 * @property {number} [changed] seconds since 1970
 */

/** @typedef {import("../curve.js").Point} Point */

/**
 * What has been read of a run's losses, up to a byte of its file.
 * @typedef {{ offset: number, train: Point[], objective: Point[], held: Point[] }} Losses
 */

export class RunsSession {
  /** @param {string} run chosen at first; "": the first that can be shown */
  constructor(run) {
    /** @type {RunSummary[]} */
    this.runs = [];
    this.chosen = new Set(run ? [run] : []);
    this.isFirst = true;
    /** @type {Map<string, Losses>} */
    this.curves = new Map();
  }

  async refresh() {
    this.runs = await api("/api/runs");
    const first = this.runs.find(({ error, starting }) => !error && !starting);
    if (this.isFirst && first && !this.chosen.size) this.chosen.add(first.name);
    this.isFirst = false;
  }

  /** Returns the runs whose curves and configurations are shown. */
  get shown() {
    return this.runs.filter(
      ({ name, error, starting }) => this.chosen.has(name) && !error && !starting,
    );
  }

  /** @param {string} name */
  toggle(name) {
    if (!this.chosen.delete(name)) this.chosen.add(name);
  }

  /** Reads what is new in the chosen runs' losses. */
  async readCurves() {
    await Promise.all([...this.chosen].map((name) => this.read(name)));
  }

  /** @param {string} name */
  async read(name) {
    const held = this.curves.get(name) ?? { offset: 0, train: [], objective: [], held: [] };
    const { records, offset, restart } = await api(
      `/api/runs/curve/${encodeURIComponent(name)}?offset=${held.offset}`,
    );
    if (restart) Object.assign(held, { train: [], objective: [], held: [] });
    held.offset = offset;
    for (const { step, loss_nats, objective, val_loss_nats } of records) {
      if (!Number.isFinite(step)) continue;
      if (Number.isFinite(loss_nats)) held.train.push([step, loss_nats]);
      else if (Number.isFinite(objective)) held.objective.push([step, objective]);
      if (Number.isFinite(val_loss_nats)) held.held.push([step, val_loss_nats]);
    }
    this.curves.set(name, held);
  }

  /**
   * Returns two lines for each chosen run: training and held out.
   * @returns {import("../curve.js").CurveLine[]}
   */
  lines() {
    const read = [...this.chosen].filter((name) => this.curves.has(name));
    return read.flatMap((name, i) => {
      const { train, objective, held } = /** @type {Losses} */ (this.curves.get(name));
      const colour = colourOf(i);
      // A step with a sampled softmax or rewards computes no cross-entropy.
      const training = train.length
        ? { name: `${name}, training`, points: thinned(train, MOST_POINTS) }
        : { name: `${name}, training objective`, points: thinned(objective, MOST_POINTS) };
      return [
        { ...training, colour, dashed: true },
        { name: `${name}, held out`, colour, points: held },
      ];
    });
  }
}

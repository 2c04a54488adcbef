// @ts-check
// Captions: drop a picture to see its caption, and where in the picture the model attended for each
// word.

import { Asking } from "../asking.js";
import { api } from "../calls.js";
import { clamp, Sheet } from "../canvas.js";
import { css, onTheme } from "../colours.js";
import { onDrop } from "../drop.js";
import { el } from "../elements.js";
import { beamChoice, logP, noAttention, searching } from "../search.js";

/**
 * Weights of a square grid for each token; `square` is where it lies: left, top, width, height as
 * shares of the picture.
 * @typedef {{ tokens: string[], log_p: number, weights: number[][] | null, square: number[] }}
 *   Caption
 */

/** @param {HTMLElement} element  @param {string} run */
export async function show(element, run) {
  const found = await searching(element, run, { view: "captions", command: "train caption" });
  if (!found) return undefined;
  const page = build(element, run, found.about);
  const session = new Session(found.path, new Asking(page.message));
  const sheet = new Sheet(page.canvas, (context, width, height) =>
    paint(context, width, height, session),
  );
  const stopTheme = onTheme(() => sheet.redraw());
  /** @param {number} to */
  const go = (to) => {
    if (!session.go(to)) return;
    showWords(page, session, go);
    sheet.redraw();
  };
  /** @param {File} file */
  const caption = async (file) => {
    if (!(await session.caption(file, page.beams.value))) return;
    page.figure.hidden = false;
    go(0);
  };
  page.input.addEventListener(
    "change",
    () => page.input.files?.length && caption(page.input.files[0]),
  );
  onDrop(page.drop, caption);
  page.beams.addEventListener("change", () => session.file && caption(session.file));
  page.figure.addEventListener("keydown", (event) => {
    const { word } = session;
    const to = {
      ArrowLeft: word - 1,
      ArrowRight: word + 1,
      Home: 0,
      End: Number.POSITIVE_INFINITY,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
  return () => {
    session.asking.end();
    stopTheme();
    sheet.end();
  };
}

/** A picture, its caption, and the chosen word. */
class Session {
  /** @param {string} path  @param {Asking} asking */
  constructor(path, asking) {
    this.path = path;
    this.asking = asking;
    /** @type {File | null} */
    this.file = null;
    /** @type {ImageBitmap | null} */
    this.picture = null;
    /** @type {Caption | null} */
    this.made = null;
    this.word = 0;
  }

  /**
   * Requests a caption; says whether there is a new one.
   * @param {File} file
   * @param {string} beams
   */
  async caption(file, beams) {
    const found = await this.asking.ask(() => this.request(file, beams), "Looking\u2026");
    if (!found) return false;
    const [picture, made] = found;
    Object.assign(this, { file, picture, made, word: 0 });
    return true;
  }

  /**
   * @param {File} file
   * @param {string} beams
   * @returns {Promise<[ImageBitmap, Caption]>}
   */
  async request(file, beams) {
    const picture = await createImageBitmap(file).catch(() => {
      throw new Error(
        `${file.name} is not a picture that this browser can read: choose a JPEG or PNG`,
      );
    });
    const headers = { "content-type": "application/octet-stream" };
    return [
      picture,
      await api(`${this.path}?num_beams=${beams}`, { method: "POST", body: file, headers }),
    ];
  }

  /** Goes to a word; says whether there is one. @param {number} word */
  go(word) {
    if (this.made) this.word = clamp(word, 0, this.made.tokens.length - 1);
    return this.made !== null;
  }
}

/** @typedef {ReturnType<typeof build>} Page */

/** @param {Page} page  @param {Session} session  @param {(word: number) => void} go */
function showWords(page, { picture, made, word }, go) {
  if (!picture || !made) return;
  page.canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
  page.words.replaceChildren(
    ...made.tokens.map((token, i) =>
      el(
        "button",
        {
          type: "button",
          className: "word",
          ariaPressed: String(i === word),
          onclick: () => go(i),
        },
        token,
      ),
    ),
  );
  page.score.textContent = logP(made.log_p);
}

/** Draws the picture, dark where the model did not attend.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {Session} session
 */
function paint(context, width, height, { picture, made, word }) {
  context.fillStyle = getComputedStyle(context.canvas).backgroundColor;
  context.fillRect(0, 0, width, height);
  if (!picture || !made) return;
  context.drawImage(picture, 0, 0, width, height);
  if (!made.weights) return;
  const [left, top, w, h] = made.square;
  veil(context, made.weights[word], {
    x: left * width,
    y: top * height,
    w: w * width,
    h: h * height,
  });
}

/**
 * Draws the weights of a square grid over a part of the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} weights
 * @param {{ x: number, y: number, w: number, h: number }} part
 */
function veil(context, weights, { x, y, w, h }) {
  const side = Math.round(Math.sqrt(weights.length));
  const most = Math.max(...weights);
  const small = new OffscreenCanvas(side, side);
  const image = new ImageData(side, side);
  for (const [i, weight] of weights.entries()) image.data[4 * i + 3] = 190 * (1 - weight / most);
  small.getContext("2d")?.putImageData(image, 0, 0);
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.imageSmoothingQuality = "high";
  // Smoothed up to the edges, where half a cell has no neighbour.
  context.drawImage(small, x, y, w, h);
  context.restore();
  context.strokeStyle = css(1, 1);
  context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
}

/**
 * @param {HTMLElement} element
 * @param {string} run
 * @param {import("../search.js").About} about
 */
function build(element, run, about) {
  const input = el("input", { type: "file", accept: "image/*", ariaLabel: "choose a picture" });
  const beams = beamChoice(about.beams);
  const drop = el(
    "div",
    { className: "drop" },
    el("p", {}, "Drop a picture here, or choose one: "),
    input,
  );
  const canvas = el("canvas", {
    className: "picture",
    role: "img",
    ariaLabel: "The picture, dark where the model did not attend",
  });
  const [words, score, message] = [
    el("p", { className: "words", ariaLive: "polite" }),
    el("p", { className: "hint" }),
    el("div", { role: "status" }),
  ];
  const figure = el(
    "section",
    { hidden: true, tabIndex: 0, ariaLabel: "Caption: arrow keys go from word to word" },
    words,
    canvas,
    score,
  );
  element.replaceChildren(
    el("h1", {}, "Captions ", el("small", {}, run)),
    drop,
    el("div", { className: "controls" }, el("label", {}, "search ", beams)),
    message,
    figure,
    ...noAttention(
      about,
      "This run sees each picture as one vector, so there is no attention to show.",
    ),
  );
  return { input, beams, drop, canvas, words, score, message, figure };
}

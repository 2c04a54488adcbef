// Captions: drop a picture to see its caption, and where in the picture the model attended for each word.

import { api, el, empty, failure } from "../calls.js";
import { Sheet } from "../canvas.js";
import { css, onTheme } from "../colours.js";

export async function show(element, run) {
  if (!run) {
    element.replaceChildren(
      empty(
        "Choose a run first: this view is for runs of \u201ctrain caption\u201d.",
        "#/runs",
        "Runs",
      ),
    );
    return () => {};
  }
  const path = `/api/captions/${encodeURIComponent(run)}`;
  let about;
  try {
    about = await api(path);
  } catch (error) {
    element.replaceChildren(failure(error));
    return () => {};
  }
  const page = build(element, run, about);
  let [picture, made, word, asked] = [null, null, 0, 0];
  const sheet = new Sheet(page.canvas, paint);
  const stopTheme = onTheme(() => sheet.redraw());

  async function caption(file) {
    const mine = ++asked;
    page.message.replaceChildren(el("p", { className: "quiet" }, "Looking\u2026"));
    try {
      const image = await createImageBitmap(file);
      const answer = await api(`${path}?num_beams=${page.beams.value}`, {
        method: "POST",
        body: file,
        headers: { "content-type": "application/octet-stream" },
      });
      if (mine !== asked) return;
      [picture, made, word] = [image, answer, 0];
      page.message.replaceChildren();
      page.figure.hidden = false;
      page.canvas.style.aspectRatio = `${image.width} / ${image.height}`;
      page.file = file;
      go(0);
    } catch (error) {
      if (mine !== asked) return;
      const unread = error instanceof DOMException;
      page.message.replaceChildren(
        failure(
          unread
            ? new Error(
                `${file.name} is not a picture that this browser can read: choose a JPEG or PNG`,
              )
            : error,
        ),
      );
    }
  }

  function go(to) {
    if (!made) return;
    word = Math.max(0, Math.min(made.tokens.length - 1, to));
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
    page.figures.textContent = `log p ${made.log_p.toFixed(2).replace("-", "\u2212")}`;
    sheet.redraw();
  }

  /** Draws the picture, dark where the model did not attend. */
  function paint(context, width, height) {
    context.fillStyle = getComputedStyle(page.canvas).backgroundColor;
    context.fillRect(0, 0, width, height);
    if (!picture) return;
    context.drawImage(picture, 0, 0, width, height);
    if (made.weights) veil(context, made.weights[word], made.square, width, height);
  }

  const take = (files) => files.length && caption(files[0]);
  page.input.addEventListener("change", () => take(page.input.files));
  page.drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.drop.classList.add("over");
  });
  page.drop.addEventListener("dragleave", () => page.drop.classList.remove("over"));
  page.drop.addEventListener("drop", (event) => {
    event.preventDefault();
    page.drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  page.beams.addEventListener("change", () => page.file && caption(page.file));
  page.figure.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: word - 1, ArrowRight: word + 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
  return () => {
    asked = -1;
    stopTheme();
    sheet.end();
  };
}

/** Draws the weights of a grid over `square`: [left, top, side] as shares of the width and the height. */
function veil(context, weights, [left, top, w, h], width, height) {
  const side = Math.round(Math.sqrt(weights.length));
  const most = Math.max(...weights);
  const small = new OffscreenCanvas(side, side);
  const image = new ImageData(side, side);
  weights.forEach((weight, i) => (image.data[4 * i + 3] = 190 * (1 - weight / most)));
  small.getContext("2d").putImageData(image, 0, 0);
  const [x, y, dx, dy] = [left * width, top * height, w * width, h * height];
  context.save();
  context.beginPath();
  context.rect(x, y, dx, dy);
  context.clip();
  context.imageSmoothingQuality = "high";
  // Smoothed up to the edges, where half a cell has no neighbour.
  context.drawImage(small, x, y, dx, dy);
  context.restore();
  context.strokeStyle = css(1, 1);
  context.strokeRect(x + 0.5, y + 0.5, dx - 1, dy - 1);
}

function build(element, run, about) {
  const input = el("input", { type: "file", accept: "image/*", ariaLabel: "choose a picture" });
  const beams = el(
    "select",
    {},
    ...about.beams.map((n) =>
      el("option", { value: n, selected: n === 5 }, n === 1 ? "greedy" : `beam of ${n}`),
    ),
  );
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
  const [words, figures, message] = [
    el("p", { className: "words", ariaLive: "polite" }),
    el("p", { className: "hint" }),
    el("div", { role: "status" }),
  ];
  const figure = el(
    "section",
    { hidden: true, tabIndex: 0, ariaLabel: "Caption: arrow keys go from word to word" },
    words,
    canvas,
    figures,
  );
  element.replaceChildren(
    el("h1", {}, "Captions ", el("small", {}, run)),
    drop,
    el("div", { className: "controls" }, el("label", {}, "search ", beams)),
    message,
    figure,
    ...(about.attention
      ? []
      : [
          el(
            "p",
            { className: "hint" },
            "This run sees each picture as one vector, so there is no attention to show.",
          ),
        ]),
  );
  return { input, beams, drop, canvas, words, figures, message, figure, file: null };
}

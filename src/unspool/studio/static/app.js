// The shell: which view an address means, and the links between views.

import { el, failure, takeToken } from "./lib.js";

const VIEWS = {
  runs: "Runs", unrolled: "Unrolled", play: "Play", cells: "Cells", gradients: "Gradients",
  translation: "Translation", captions: "Captions",
};
const ALONE = ["runs", "unrolled"];
const OF_RUN = ["play", "cells", "gradients", "translation", "captions"];

let end = null; // ends the view that is shown
let shown = 0;

async function route() {
  const mine = ++shown;
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const run = decodeURIComponent(rest.join("/"));
  if (!(view in VIEWS)) return location.replace("#/runs");
  end?.();
  end = null;
  const main = document.getElementById("main");
  const page = el("div", {});
  main.replaceChildren(page);
  navigate(view, run);
  document.title = `${VIEWS[view]}${run ? ` – ${run}` : ""} – Unspool studio`;
  try {
    const { show } = await import(`./views/${view}.js`);
    const ended = await show(page, run);
    if (mine === shown) end = ended;
    else ended?.();
  } catch (error) {
    if (mine === shown) page.append(failure(error));
  }
}

/** The links; those of a run where one is chosen. */
function navigate(view, run) {
  const link = (name, to) => {
    const made = el("a", { href: to }, VIEWS[name]);
    if (name === view) made.setAttribute("aria-current", "page");
    return made;
  };
  const links = ALONE.map((name) => link(name, `#/${name}`));
  if (run) {
    links.push(el("span", { className: "run" }, run));
    links.push(...OF_RUN.map((name) => link(name, `#/${name}/${encodeURIComponent(run)}`)));
  }
  document.getElementById("nav").replaceChildren(...links);
}

takeToken();
addEventListener("hashchange", route);
route();

// The shell: which view an address means, and the links between views.

import { api, el, enter, failure } from "./lib.js";

const VIEWS = {
  runs: "Runs", unrolled: "Unrolled", play: "Play", cells: "Cells", gradients: "Gradients",
  translation: "Translation", captions: "Captions",
};
const ALONE = ["runs", "unrolled"];
const OF_KIND = {
  language: ["play", "cells", "gradients"], generator: ["cells"], classifier: ["cells"], tagger: ["cells"],
  translator: ["translation", "cells"], captioner: ["captions"], glimpse: [],
};
const kinds = new Map(); // run -> its kind, asked once

let end = null; // ends the view that is shown
let shown = 0;

async function route() {
  const mine = ++shown;
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const run = decoded(rest.join("/"));
  if (!Object.hasOwn(VIEWS, view)) return location.replace("#/runs");
  end?.();
  end = null;
  const main = document.getElementById("main");
  const page = el("div", {});
  main.replaceChildren(page);
  navigate(view, run);
  if (run && !kinds.has(run)) {
    const show = (kind) => mine === shown && navigate(view, run, kind);
    kindOf(run).then(show, () => {}); // what is wrong with a run, its view says
  }
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

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

async function kindOf(run) {
  if (!kinds.has(run)) {
    const { model } = await api(`/api/runs/config/${encodeURIComponent(run)}`);
    kinds.set(run, model.kind ?? "language");
  }
  return kinds.get(run);
}

/** The links; where a run is chosen, those of its kind as soon as that is known. */
function navigate(view, run, kind = kinds.get(run)) {
  const link = (name, to) => {
    const made = el("a", { href: to }, VIEWS[name]);
    if (name === view) made.setAttribute("aria-current", "page");
    return made;
  };
  const links = ALONE.map((name) => link(name, `#/${name}`));
  if (run) {
    links.push(el("span", { className: "run" }, run));
    const own = OF_KIND[kind] ?? (ALONE.includes(view) ? [] : [view]);
    links.push(...own.map((name) => link(name, `#/${name}/${encodeURIComponent(run)}`)));
  }
  const nav = document.getElementById("nav");
  nav.replaceChildren(...links);
  nav.scrollLeft = (nav.querySelector("[aria-current]")?.offsetLeft ?? 0) - nav.offsetLeft - 40; // on a phone
}

await enter();
addEventListener("hashchange", route);
route();

// @ts-check
// The shell: chooses a view by the address, and links the views.

import { api, enter } from "./calls.js";
import { el, failure } from "./elements.js";

/** @type {Record<string, string>} */
const VIEWS = {
  runs: "Runs",
  unrolled: "Unrolled",
  play: "Play",
  cells: "Units",
  gradients: "Gradients",
  translation: "Translation",
  captions: "Captions",
};
const ALONE = ["runs", "unrolled"];
/** The views of a run, requested once. @type {Map<string, string[]>} */
const known = new Map();

/** Ends the current view. @type {(() => void) | undefined} */
let end;
let shown = 0;

async function route() {
  const mine = ++shown;
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const run = decoded(rest.join("/"));
  if (!Object.hasOwn(VIEWS, view)) {
    location.replace("#/runs");
    return;
  }
  end?.();
  end = undefined;
  const page = el("div");
  byId("main").replaceChildren(page);
  navigate(view, run);
  if (run && !known.has(run)) {
    const shows = viewsOf(run).then((views) => mine === shown && navigate(view, run, views));
    shows.catch(() => {}); // the view says what is wrong with a run
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

/** @param {string} name */
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** @param {string} run */
async function viewsOf(run) {
  const views = known.get(run) ?? (await api(`/api/runs/views/${encodeURIComponent(run)}`));
  known.set(run, views);
  return views;
}

/**
 * Shows the links; if a run is chosen, those of its kind as soon as it is known.
 * @param {string} view
 * @param {string} run
 * @param {string[]} [views]
 */
function navigate(view, run, views = known.get(run)) {
  /** @param {string} name  @param {string} to */
  const link = (name, to) => {
    const made = el("a", { href: to }, VIEWS[name]);
    if (name === view) made.setAttribute("aria-current", "page");
    return made;
  };
  /** @type {HTMLElement[]} */
  const links = ALONE.map((name) => link(name, `#/${name}`));
  if (run) {
    links.push(el("span", { className: "run" }, run));
    const own = views ?? (ALONE.includes(view) ? [] : [view]);
    links.push(...own.map((name) => link(name, `#/${name}/${encodeURIComponent(run)}`)));
  }
  const nav = byId("nav");
  nav.replaceChildren(...links);
  const current = links.find((one) => one.hasAttribute("aria-current"));
  nav.scrollLeft = (current?.offsetLeft ?? 0) - nav.offsetLeft - 40; // on a phone
}

/** @param {string} id of an element of index.html */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

await enter();
addEventListener("hashchange", route);
route();

// The shell: chooses a view by the address, and links the views.

import { api, el, enter, failure } from "./calls.js";

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
const known = new Map(); // run -> its views, requested once

let end = null; // ends the current view
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
  if (run && !known.has(run)) {
    const show = (views) => mine === shown && navigate(view, run, views);
    viewsOf(run).then(show, () => {}); // the view says what is wrong with a run
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

async function viewsOf(run) {
  if (!known.has(run)) known.set(run, await api(`/api/runs/views/${encodeURIComponent(run)}`));
  return known.get(run);
}

/** Shows the links; if a run is chosen, those of its kind as soon as it is known. */
function navigate(view, run, views = known.get(run)) {
  const link = (name, to) => {
    const made = el("a", { href: to }, VIEWS[name]);
    if (name === view) made.setAttribute("aria-current", "page");
    return made;
  };
  const links = ALONE.map((name) => link(name, `#/${name}`));
  if (run) {
    links.push(el("span", { className: "run" }, run));
    const own = views ?? (ALONE.includes(view) ? [] : [view]);
    links.push(...own.map((name) => link(name, `#/${name}/${encodeURIComponent(run)}`)));
  }
  const nav = document.getElementById("nav");
  nav.replaceChildren(...links);
  nav.scrollLeft = (nav.querySelector("[aria-current]")?.offsetLeft ?? 0) - nav.offsetLeft - 40; // on a phone
}

await enter();
addEventListener("hashchange", route);
route();

// What every view needs: calls of the studio, elements of the page, and what to say when there is nothing.

const KEY = "unspool-token";

/** The token of this start, in exchange for the code in the address; other tabs and reloads have it then. */
export async function enter() {
  const address = new URL(location.href);
  const code = address.searchParams.get("code");
  if (!code) return;
  address.searchParams.delete("code");
  history.replaceState(null, "", address);
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/enter", { method: "POST", headers, body: JSON.stringify({ code }) }).catch(() => null);
  if (answer?.ok) localStorage.setItem(KEY, (await answer.json()).token); // a spent code: it may be here already
}

/** The answer to a call; an Error with the studio's sentence where it refused. */
export async function raw(path, { json, headers = {}, ...options } = {}) {
  const sent = { ...headers, "x-unspool-token": localStorage.getItem(KEY) ?? "" };
  if (json !== undefined) {
    Object.assign(options, { method: options.method ?? "POST", body: JSON.stringify(json) });
    sent["content-type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The studio does not answer: is `unspool studio` still running in its terminal?");
  }
  if (!answer.ok) throw new Error(await sentence(answer));
  return answer;
}

export const api = async (...args) => (await raw(...args)).json();
export const octets = async (...args) => (await raw(...args)).arrayBuffer();

/** An element: el("p", { className: "lead" }, "text", child). */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

export const failure = (error) => el("p", { className: "failure", role: "alert" }, error.message);
export const empty = (text, href, label) =>
  el("p", { className: "empty" }, text, " ", ...(href ? [el("a", { href }, label)] : []));

/** 95 -> "1:35". */
export function duration(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  return `${minutes}:${String(rest).padStart(2, "0")}`;
}

async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    return Array.isArray(detail) ? detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ") : detail;
  } catch {
    return `The studio failed (${answer.status}): its terminal says more.`;
  }
}

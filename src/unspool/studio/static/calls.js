// Shared by all views: requests to the studio, elements of the page, and messages for empty views.

const KEY = "unspool-token";

/** Exchanges the code in the address for the token of this start; other tabs and reloads then have it too. */
export async function enter() {
  const address = new URL(location.href);
  const code = address.searchParams.get("code");
  if (!code) return;
  address.searchParams.delete("code");
  history.replaceState(null, "", address);
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/enter", {
    method: "POST",
    headers,
    body: JSON.stringify({ code }),
  }).catch(() => null);
  if (answer?.ok) localStorage.setItem(KEY, (await answer.json()).token); // if the code is spent, the token may be here already
}

/** Returns the response to a request. Throws an Error with the studio's message if it is refused. */
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
    throw new Error(
      "The studio does not respond: is `unspool studio` still running in its terminal?",
    );
  }
  if (!answer.ok) throw new Error(await sentence(answer));
  return answer;
}

export const api = async (...args) => (await raw(...args)).json();
export const octets = async (...args) => (await raw(...args)).arrayBuffer();

/** Makes an element: el("p", { className: "lead" }, "text", child). */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

export const failure = (error) => el("p", { className: "failure", role: "alert" }, error.message);
export const empty = (text, href, label) =>
  el("p", { className: "empty" }, text, " ", ...(href ? [el("a", { href }, label)] : []));

/** Formats 95 as "1:35". */
export function duration(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  return `${minutes}:${String(rest).padStart(2, "0")}`;
}

async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    return Array.isArray(detail)
      ? detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ")
      : detail;
  } catch {
    return `The studio failed (${answer.status}): see its terminal for details.`;
  }
}

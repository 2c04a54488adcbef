// @ts-check
// Requests to the studio: the token that they need, and the studio's message if it refuses.

const KEY = "unspool-token";

/** @typedef {RequestInit & { json?: unknown, headers?: Record<string, string> }} Call */

/**
 * Exchanges the code in the address for the token of this start; other tabs and reloads then have
 * it too.
 */
export async function enter() {
  const address = new URL(location.href);
  const code = address.searchParams.get("code");
  if (!code) return;
  address.searchParams.delete("code");
  history.replaceState(null, "", address);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ code });
  const answer = await fetch("/enter", { method: "POST", headers, body }).catch(() => null);
  if (!answer?.ok) return; // if the code is spent, the token may be here already
  localStorage.setItem(KEY, (await answer.json()).token);
}

/**
 * Returns the response to a request. Throws an Error with the studio's message if it is refused.
 * @param {string} path
 * @param {Call} call `json` is sent by POST
 */
export async function raw(path, { json, headers = {}, ...options } = {}) {
  const sent = { ...headers, "x-unspool-token": localStorage.getItem(KEY) ?? "" };
  if (json !== undefined) {
    Object.assign(options, { method: options.method ?? "POST", body: JSON.stringify(json) });
    Object.assign(sent, { "content-type": "application/json" });
  }
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: sent });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Error(
      "The studio does not respond: is `unspool studio` still running in its terminal?",
    );
  }
  if (!answer.ok) throw new Error(await sentence(answer));
  return answer;
}

/**
 * Returns the JSON of the response.
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<any>}
 */
export const api = async (path, call) => (await raw(path, call)).json();

/** @param {string} path */
export const octets = async (path) => (await raw(path)).arrayBuffer();

/** Says whether a request was aborted by an AbortController. @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";

/** @param {Response} answer */
async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    if (!Array.isArray(detail)) return detail;
    return detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ");
  } catch {
    return `The studio failed (${answer.status}): see its terminal for details.`;
  }
}

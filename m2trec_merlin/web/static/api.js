// What the page asks its server. Every failure is one sentence for a person.

export class Trouble extends Error {}

const GONE = "The server of this page gives no answer. Is `m2trec try` still running?";

async function ask(path, init = {}) {
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(GONE);
  }
  let said;
  try {
    said = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(`The server gave an answer that cannot be read (status ${response.status}).`);
  }
  if (!response.ok) throw new Trouble(said?.error ?? `The server failed (status ${response.status}).`);
  return said;
}

const post = (path, said, signal) => {
  const headers = { "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(said), signal });
};

export const about = () => ask("/api/about");

export async function search(text, signal) {
  const query = new URLSearchParams({ text, top_k: 12 });
  return (await ask(`/api/search?${query}`, { signal })).items;
}

export async function valuesOf(attribute, text, signal) {
  const query = new URLSearchParams({ attribute, text });
  return (await ask(`/api/values?${query}`, { signal })).values;
}

const kept = new Map();
/** Return what the catalogue says of ids, null for those that it does not have. */
export async function describe(ids) {
  const unknown = [...new Set(ids)].filter((id) => !kept.has(id));
  if (unknown.length) {
    const { items } = await post("/api/items", { item_ids: unknown });
    unknown.forEach((id, place) => kept.set(id, items[place]));
  }
  return known(ids);
}

/** What was said of ids before, undefined where nothing was. */
export const known = (ids) => ids.map((id) => kept.get(id));

/** Keep what an answer or a search said of items. */
export function remember(items) {
  for (const item of items) if (item) kept.set(item.item_id, item);
}

export async function recommend(session, options, signal) {
  const { answers } = await post("/api/recommend", { session, options }, signal);
  if (!Array.isArray(answers)) throw new Trouble("The server gave an answer that cannot be read.");
  return answers;
}

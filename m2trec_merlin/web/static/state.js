// What is tried, kept in the address: reloaded, shared, undone by the browser's way back.

/** session: ids, or objects of attributes; options: those that are set. */
export function read() {
  const state = { session: [], options: {} };
  for (const [key, text] of new URLSearchParams(location.hash.slice(1))) {
    if (key === "item") state.session.push(text);
    const said = key === "new" || key === "options" ? parse(text) : null;
    if (said && key === "new") state.session.push(said);
    if (said && key === "options") state.options = said;
  }
  return state;
}

/**
 * Write the state into the address.
 * @param {boolean} step whether the way back leads to the state before.
 */
export function write({ session, options }, step) {
  const said = new URLSearchParams();
  for (const item of session) {
    if (typeof item === "object") said.append("new", JSON.stringify(item));
    else said.append("item", item);
  }
  if (Object.keys(options).length) said.append("options", JSON.stringify(options));
  const address = `${location.pathname}#${said}`;
  if (address === location.pathname + location.hash) return;
  if (step) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

function parse(text) {
  try {
    const said = JSON.parse(text);
    return said && typeof said === "object" && !Array.isArray(said) ? said : null;
  } catch {
    return null; // An address that was cut shows what is left of it.
  }
}

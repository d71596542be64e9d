// The session: what a shopper looked at, the latest last.
import { byId, make, meta, text, tile } from "./dom.js";

/** What the page calls an item of a session. */
export function nameOf(item, known) {
  if (typeof item !== "object") return known?.title ?? item;
  const { item_id, ...attributes } = item;
  return String(item_id ?? Object.values(attributes).find((each) => typeof each === "string") ?? "New item");
}

/** The other attributes of a new item, as the catalogue has them. */
function valuesOf(item, title) {
  const others = Object.entries(item).filter(([, each]) => String(each) !== title);
  return Object.fromEntries(others.map(([name, each]) => [name, [each].flat()]));
}

/**
 * Show the items.
 * @param {Array} session ids, or objects of attributes.
 * @param {Array} known what the catalogue says of each.
 * @param {object} about the versions, for how long a session may be.
 * @param {object} does remove(place), edit(place).
 */
export function showSession(session, known, about, does) {
  const { max_length: most } = about;
  const lines = session.map((item, place) => {
    const isNew = typeof item === "object", title = nameOf(item, known[place]);
    const values = isNew ? valuesOf(item, title) : known[place]?.values ?? {};
    const said = isNew ? meta(values) : known[place] === null ? "not in the catalogue" : meta(values);
    const change = make("button.icon", {
      type: "button", "aria-label": `Change ${title}`, onclick: () => does.edit(place),
    }, "✎");
    const remove = make("button.icon", {
      type: "button", "aria-label": `Remove ${title}`, onclick: () => does.remove(place),
    }, "×");
    return make("li", { "data-field": `session[${place}]`, onkeydown: (event) => {
      if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); does.remove(place); }
    } },
      make("div.row", {}, tile(title, values),
        text(title, said, [isNew && make("span.badge", {}, "new")]), isNew ? change : null, remove),
      make("div.messages"));
  });
  byId("session").replaceChildren(...lines);
  byId("session").hidden = !session.length;
  byId("session").scrollTop = byId("session").scrollHeight;
  byId("clear").hidden = !session.length;
  byId("session-hint").textContent = !session.length
    ? "Nothing yet: find an item above, or take one that is recommended."
    : session.length > most ? `The model looks at the last ${most} items.` : "";
  byId("session-hint").hidden = session.length > 0 && session.length <= most;
}

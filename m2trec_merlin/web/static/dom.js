// Elements without markup: whatever a catalogue holds is text, never HTML.

/**
 * Make an element.
 * @param {string} name of the element, with classes behind dots: "button.quiet".
 * @param {object} properties attributes; functions are listeners ("onclick"); null and false are left out.
 * @param {...(Node|string|null)} children
 */
export function make(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (![null, false, undefined].includes(value)) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

let made = 0;
/** Return an id that no other element has. */
export const freshId = (what) => `${what}-${++made}`;

/** "new_item_boost" as people write it. */
export const words = (name) => {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** A tile that stands for an item: its first letters, in the colour of its first attribute. */
export function tile(title, values) {
  const letters = (title.match(/[\p{L}\p{N}]+/gu) ?? ["?"]).slice(0, 2).map((word) => word[0]).join("");
  const kind = String(Object.values(values)[0] ?? title);
  let hue = 0;
  for (const letter of kind) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  const element = make("span.tile", { "aria-hidden": "true" }, letters.toUpperCase());
  element.style.setProperty("--hue", hue);
  return element;
}

const MOST_VALUES = 3;
/** What is said of an item below its title. */
export function meta(values) {
  const said = Object.entries(values).map(([name, each]) => {
    const text = each.map((one) => (typeof one === "number" ? one.toLocaleString() : String(one))).join(", ");
    return typeof each[0] === "number" ? `${name} ${text}` : text;
  });
  return said.slice(0, MOST_VALUES).join(" · ");
}

/** Title of an item with badges, and below it what is said of the item. */
export function text(title, said, badges = []) {
  const marked = badges.filter(Boolean).flatMap((badge) => [" ", badge]);
  return make("span.text", {}, make("span.title", {}, title, ...marked), make("span.meta", {}, said));
}

/** The same of an item of the catalogue, which has an id. */
export const itemText = (title, id, values, badges) =>
  text(title, [id, meta(values)].filter(Boolean).join(" · "), badges);

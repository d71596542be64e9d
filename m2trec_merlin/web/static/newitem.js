// An item that the catalogue does not have, typed in.
import { byId } from "./dom.js";
import { field } from "./fields.js";

let finish = null;

export function prepareDialog() {
  const dialog = byId("new-item");
  byId("new-item-cancel").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", () => finish?.());
}

/**
 * Ask for the attributes of an item.
 * @param {object} schema of an item.
 * @param {object} item to begin with.
 * @param {function} done is told the item.
 */
export function askForItem(schema, item, done) {
  const now = { ...item }, dialog = byId("new-item"), add = byId("new-item-add");
  const check = () => { add.disabled = !Object.keys(now).length; };
  byId("new-item-fields").replaceChildren(...Object.entries(schema.properties).map(([name, each]) =>
    field(name, each, "", now[name], (value) => {
      if (value === undefined) delete now[name];
      else now[name] = value;
      check();
    })));
  check();
  add.textContent = Object.keys(item).length ? "Change it" : "Add to the session";
  finish = () => done({ ...now });
  dialog.showModal();
  byId("new-item-fields").querySelector("input, textarea")?.focus();
}

// A field that finds while one types: arrows, Enter, Escape, and the mouse.
import { freshId, make } from "./dom.js";

/**
 * Make a combobox.
 * @param {object} how label, placeholder, id; find(text, signal) to a promise of things;
 *   show(thing) to nodes of its line; choose(thing) when one is taken; free(text) to a thing for text that
 *   nothing was found for, or undefined.
 */
export function combobox(how) {
  const { label, placeholder = "", id = freshId("box"), describedBy = null, find, show, choose, free } = how;
  const list = make("ul.found", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
  const input = make("input", {
    id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
    "aria-label": label, "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id,
    "aria-describedby": describedBy,
  });
  let things = [], active = -1, asked = null, waiting = 0;

  function close() {
    asked?.abort();
    clearTimeout(waiting);
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(place) {
    active = place;
    [...list.children].forEach((line, each) => line.setAttribute("aria-selected", String(each === place)));
    if (place < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  function take(thing) {
    input.value = "";
    close();
    choose(thing);
  }

  async function open() {
    asked?.abort();
    asked = new AbortController();
    const text = input.value.trim(), { signal } = asked;
    let found;
    try {
      found = await find(text, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      found = null;
      list.replaceChildren(make("li.nothing", {}, error.message));
    }
    if (signal.aborted || document.activeElement !== input) return;
    things = found ?? [];
    if (found) {
      const lines = found.map((thing, place) =>
        make("li", {
          id: `${list.id}-${place}`, role: "option", "aria-selected": "false",
          // Before the field loses the focus.
          onmousedown: (event) => event.preventDefault(), onclick: () => take(thing),
        }, ...show(thing)));
      const nothing = text ? `Nothing found for “${text}”` : "Nothing there";
      list.replaceChildren(...(lines.length ? lines : [make("li.nothing", {}, nothing)]));
    }
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(things.length && text ? 0 : -1);
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    // What was found for other letters must not be taken.
    things = []; active = -1;
    waiting = setTimeout(open, 80);
  });
  input.addEventListener("click", () => list.hidden && open());
  input.addEventListener("blur", close);
  async function enter() {
    const text = input.value.trim();
    if (active >= 0) return take(things[active]);
    if (!text) return;
    close();
    let found;
    try {
      found = await find(text);
    } catch {
      return open();
    }
    const thing = found[0] ?? free?.(text);
    // Whoever types on in the meantime means something else.
    if (thing === undefined) open();
    else if (input.value.trim() === text) take(thing);
  }

  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (things.length) mark((active + step + things.length) % things.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      enter();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  return make("div.combobox", {}, input, list);
}

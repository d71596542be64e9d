// The page: a session and options go into the address and to the server, and what comes back is shown.
import * as api from "./api.js";
import { showAnswers } from "./answers.js";
import { combobox } from "./combobox.js";
import { byId, make } from "./dom.js";
import { line } from "./fields.js";
import { showMessages } from "./messages.js";
import { askForItem, prepareDialog } from "./newitem.js";
import { showOptions } from "./options.js";
import { inPython } from "./python.js";
import { nameOf, showSession } from "./session.js";
import { read, write } from "./state.js";

let about = null, state = read(), asked = null, waiting = 0;

async function open() {
  try {
    about = await api.about();
  } catch (error) {
    return trouble(error, open);
  }
  byId("trouble").replaceChildren();
  const [first] = about.versions;
  const names = about.versions.map(({ name }) => name).join(" beside ");
  document.title = `${names} · Try sessions`;
  byId("about").textContent = `${names} · ${first.items.toLocaleString()} items`;
  byId("describe").hidden = !about.item;
  document.querySelector("main").classList.toggle("two", about.versions.length > 1);
  byId("search-place").replaceChildren(combobox({
    id: "search", label: "Find an item", placeholder: "Find an item by title or id", find, show: line,
    choose: (item) => add(item.item_id), free: (text) => ({ item_id: text }),
  }));
  restore();
}

async function find(text, signal) {
  const items = await api.search(text, signal);
  api.remember(items);
  return items;
}

function restore() {
  state = read();
  showOptions(about.options, state.options, changeOptions);
  refresh();
}

function change(session) {
  state = { ...state, session };
  write(state, true);
  refresh();
}

function changeOptions(options) {
  state = { ...state, options };
  write(state, false);
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 150);
}

const add = (item) => change([...state.session, item]);

function remove(place) {
  change(state.session.filter((_, each) => each !== place));
  // Whoever removes by keyboard goes on with the next.
  const left = byId("session").children[Math.min(place, state.session.length - 1)];
  (left?.querySelector(".icon:last-of-type") ?? byId("search")).focus();
}

/** The values of an attribute that are filtered by; undefined where it is no matter of single values. */
function wanted(attribute) {
  const now = state.options.filters?.[attribute] ?? [];
  const known = about.options.properties.filters?.properties ?? {};
  return attribute in known && now.constructor !== Object ? [now].flat() : undefined;
}

function filter(task, value) {
  const filters = { ...state.options.filters }, now = wanted(task);
  const values = now.includes(value) ? now.filter((each) => each !== value) : [...now, value];
  if (values.length) filters[task] = values;
  else delete filters[task];
  const options = { ...state.options, filters };
  if (!Object.keys(filters).length) delete options.filters;
  setOptions(options);
}

function setOptions(options) {
  state = { ...state, options };
  write(state, true);
  showOptions(about.options, options, changeOptions);
  refresh();
}

const edit = (place) => askForItem(about.item, state.session[place], (item) =>
  change(state.session.map((each, other) => (other === place ? item : each))));

async function refresh() {
  clearTimeout(waiting);
  asked?.abort();
  const { signal } = (asked = new AbortController()), { session, options } = state;
  byId("code").querySelector("pre").textContent = inPython(state);
  byId("reset").hidden = !Object.keys(options).length;
  byId("answers").setAttribute("aria-busy", "true");
  const slow = setTimeout(() => wait(session.some((item) => typeof item === "object")
    ? "Reading the new item: the first one takes some seconds …" : "Asking …"), 500);
  const ids = session.filter((item) => typeof item !== "object");
  const describe = () => {
    const found = api.known(ids);
    return session.map((item) => (typeof item === "object" ? null : found[ids.indexOf(item)]));
  };
  showSession(session, describe(), about, { remove, edit });
  try {
    if (ids.some((id) => api.known([id])[0] === undefined)) {
      await api.describe(ids);
      if (signal.aborted) return;
      showSession(session, describe(), about, { remove, edit });
    }
    const answers = await api.recommend(session, options, signal);
    if (signal.aborted) return;
    for (const each of answers) if (each.items) api.remember(each.items);
    byId("trouble").replaceChildren();
    const known = describe();
    show(answers, session.map((item, place) => nameOf(item, known[place])));
  } catch (error) {
    if (error.name === "AbortError") return;
    trouble(error, refresh);
  } finally {
    clearTimeout(slow);
    if (!signal.aborted) wait("");
    if (!signal.aborted) byId("answers").setAttribute("aria-busy", "false");
  }
}

function show(answers, titles) {
  const now = { titles, filtered: wanted, isEmpty: !state.session.length };
  const columns = showAnswers(answers, now, { add, filter, reset: () => setOptions({}) });
  const alike = (button) => [...byId("columns").querySelectorAll(`button.${button.classList[0]}`)];
  const focused = document.activeElement.closest("#columns button");
  const place = focused && alike(focused).indexOf(focused);
  byId("columns").replaceChildren(...columns);
  // Whoever takes items by keyboard stays in the list.
  if (focused) alike(focused)[place]?.focus({ preventScroll: true });
  byId("code").hidden = false;
  showMessages(answers, columns, now.isEmpty);
  const [{ answer, milliseconds }] = answers;
  say(answer
    ? `${answer.item_ids.length} recommendations in ${Math.round(milliseconds)} milliseconds`
    : "The request was refused");
}

function wait(text) {
  byId("waiting").textContent = text;
  byId("waiting").hidden = !text;
}

const say = (text) => { byId("status").textContent = text; };

function trouble(error, again) {
  const known = error instanceof api.Trouble;
  const text = known ? error.message : "The server gave an answer that cannot be shown.";
  if (!known) console.error(error);
  say("");
  const retry = make("button", { type: "button", onclick: again }, "Try again");
  byId("trouble").replaceChildren(make("div.banner", {}, make("p", {}, text), retry));
}

byId("clear").addEventListener("click", () => { change([]); byId("search").focus(); });
byId("reset").addEventListener("click", () => setOptions({}));
byId("describe").addEventListener("click", () => askForItem(about.item, {}, add));
byId("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    byId("share").textContent = "Copied";
  } catch {
    // Browsers keep the clipboard from pages of other machines.
    byId("share").textContent = "Copy the address above";
  }
  setTimeout(() => { byId("share").textContent = "Copy link"; }, 1500);
});
window.addEventListener("popstate", () => about && restore());
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (event.key === "/" && !typing) { event.preventDefault(); byId("search").focus(); }
});
// On a narrow window the answer comes before the options.
if (matchMedia("(max-width: 60rem)").matches) byId("options-fold").open = false;
prepareDialog();
open();

// What is recommended, why, and how two versions differ.
import { itemText, make, tile, words } from "./dom.js";

const SOURCES = {
  metadata: "what the items are", neighbours: "similar sessions", boost: "boost of new and rare items",
  trend: "sells more of late", repeat: "bought again", popularity: "popularity",
};
const number = (value) =>
  value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).replace("-", "−");
const percent = (value) => value.toLocaleString(undefined, { style: "percent", maximumFractionDigits: 2 });
const took = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString()} ms`;

/**
 * Return a column for each answer.
 * @param {Array} answers of the versions.
 * @param {object} now titles of the session's items; isEmpty, whether it has none; filtered(task) the values
 *   that are filtered by, undefined where one cannot.
 * @param {object} does add(id), filter(task, value), reset().
 */
export function showAnswers(answers, now, does) {
  const places = answers.map(({ answer }) => new Map(answer?.item_ids.map((id, place) => [id, place])));
  return answers.map((each, version) => {
    const others = answers.length > 1 && version > 0 && answers[0].answer ? places[0] : null;
    const alone = now.isEmpty ? "What is bought most" : "Recommended next";
    const title = answers.length > 1 ? each.version : alone;
    return make("article.version", {}, head(each, title, others), ...body(each, now, does, others));
  });
}

function head({ answer, milliseconds }, title, others) {
  const both = others && answer ? answer.item_ids.filter((id) => others.has(id)).length : 0;
  const hint = "time in the recommender, without the way to the browser";
  const said = [
    answer && make("span.pill", { title: hint }, took(milliseconds)),
    others && answer && make("span.pill", {}, `${both} of ${answer.item_ids.length} in both`),
  ];
  return make("header.heading", {}, make("h3", {}, title), make("span.pills", {}, ...said));
}

function body({ answer, items, messages }, now, does, others) {
  const general = make("div.messages.general");
  if (!answer) return [general, refused(messages)];
  if (!answer.item_ids.length) return [general, nothing(messages, does)];
  const categories = Object.entries(answer.categories).filter(([, values]) => values.length);
  const tasks = categories.map(([task, values]) => taskOf(task, values, now, does));
  const lines = answer.item_ids.map((_, place) => itemOf(answer, items[place], place, now, does, others));
  return [
    general,
    tasks.length ? make("div.tasks", {}, ...tasks) : null,
    make("ol.items.recommended", {}, ...lines),
  ].filter(Boolean);
}

function refused(messages) {
  const said = messages.map(({ field, text }) => `${words(field.split(".").pop())}: ${text}`);
  return make("div.empty", {}, make("p", {}, "The request was refused."),
    ...said.map((each) => make("p.hint", {}, each)));
}

function nothing(messages, does) {
  return make("div.empty", {},
    make("p", {}, "Nothing can be recommended with these options."),
    ...messages.map(({ text }) => make("p.hint", {}, text)),
    make("button", { type: "button", onclick: does.reset }, "Back to the default options"));
}

function taskOf(task, values, now, does) {
  const filtered = now.filtered(task);
  return make("div.task", { role: "group", "aria-label": `Next ${words(task)}` },
    make("h4", {}, `Next ${words(task).toLowerCase()}`),
    make("ul", {}, ...values.map(([value, share]) => {
      const bar = make("span.bar", { "aria-hidden": "true" });
      bar.style.setProperty("--share", share);
      const rounded = `${Math.round(100 * share)} %`;
      const said = [make("span.value", {}, value), make("span.share", {}, rounded), bar];
      if (!filtered) return make("li", {}, make("span.task-value", {}, ...said));
      return make("li", {}, make("button.task-value", {
        type: "button", "aria-pressed": String(filtered.includes(value)), title: `Only ${value}`,
        onclick: () => does.filter(task, value),
      }, ...said));
    })));
}

function itemOf(answer, item, place, now, does, others) {
  const { item_ids: ids, titles, scores, explanations } = answer, id = ids[place];
  const values = item?.values ?? {}, title = titles[place] || item?.title || id;
  const [most, least] = [scores[0], scores[scores.length - 1]];
  const bar = make("span.bar", { "aria-hidden": "true" });
  const share = most > least ? (scores[place] - least) / (most - least) : 1;
  // The last one has a bar, too.
  bar.style.setProperty("--share", 0.08 + 0.92 * share);
  const badges = [
    item && item.share === 0 ? make("span.badge", { title: "no training history" }, "new") : null,
    others ? moved(others.get(id), place) : null,
  ];
  const [what, shown] = now.isEmpty ? ["share of what is bought ", percent] : ["score ", number];
  const add = { type: "button", "data-item": id, title: "Add to the session", onclick: () => does.add(id) };
  const row = make("button.row", add,
    make("span.place", {}, String(place + 1)), tile(title, values), itemText(title, id, values, badges),
    make("span.score", {}, make("span.unseen", {}, what), shown(scores[place]), bar));
  return make("li", {}, row, explanations[place] ? whyOf(explanations[place], now) : null);
}

function moved(before, place) {
  if (before === undefined) return make("span.badge.only", { title: "not in the other answer" }, "only here");
  if (before === place) return null;
  const [way, arrow] = before > place ? ["up", "▲"] : ["down", "▼"];
  const hint = `place ${before + 1} in the other answer`;
  return make(`span.badge.${way}`, { title: hint }, `${arrow} ${Math.abs(before - place)}`);
}

function whyOf(why, now) {
  const event = why.event === null ? null : now.titles[why.event];
  const about = event ? [" · because of ", make("b", {}, event)] : [];
  const falls = [
    ...Object.entries(why.falls).map(([source, fall]) => [SOURCES[source] ?? words(source), fall]),
    [`“${event}” in the session`, event && why.event_fall],
    [`${words(why.attribute ?? "").toLowerCase()} of it`, event && why.attribute_fall],
  ];
  const rows = falls.filter(([, fall]) => typeof fall === "number").map(([what, fall]) =>
    make("tr", {}, make("th", { scope: "row" }, what), make("td", {}, number(fall))));
  return make("details.why", {},
    make("summary", {}, words(SOURCES[why.by] ?? why.by), ...about),
    make("table", {}, make("caption", {}, "What the score loses without"), make("tbody", {}, ...rows)));
}

// What is recommended, why, and how two versions differ.
import { make, meta, tile, words } from "./dom.js";

const SOURCES = {
  metadata: "what the items are", neighbours: "similar sessions", boost: "boost of new and rare items",
  repeat: "bought again", popularity: "popularity",
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
    const title = answers.length > 1 ? each.version : now.isEmpty ? "What is bought most" : "Recommended next";
    return make("article.version", {}, head(each, title, others), ...body(each, now, does, others));
  });
}

function head({ answer, milliseconds }, title, others) {
  const both = others && answer ? answer.item_ids.filter((id) => others.has(id)).length : 0;
  const said = [
    answer && make("span.pill", { title: "time in the recommender, without the way to the browser" }, took(milliseconds)),
    others && answer && make("span.pill", {}, `${both} of ${answer.item_ids.length} in both`),
  ];
  return make("header.heading", {}, make("h3", {}, title), make("span.pills", {}, ...said));
}

function body({ answer, items, messages }, now, does, others) {
  const general = make("div.messages.general");
  if (!answer) {
    return [general, make("div.empty", {}, make("p", {}, "The request was refused."), make("p.hint", {}, "What is wrong stands at the fields concerned."))];
  }
  if (!answer.item_ids.length) return [general, nothing(messages, does)];
  const categories = Object.entries(answer.categories).filter(([, values]) => values.length);
  return [
    general,
    categories.length ? make("div.tasks", {}, ...categories.map(([task, values]) => taskOf(task, values, now, does))) : null,
    make("ol.items.recommended", {}, ...answer.item_ids.map((id, place) => itemOf(answer, items[place], place, now, does, others))),
  ].filter(Boolean);
}

function nothing(messages, does) {
  return make("div.empty", {},
    make("p", {}, "Nothing can be recommended with these options."),
    ...messages.map(({ text }) => make("p.hint", {}, text)),
    make("button", { type: "button", onclick: does.reset }, "Back to the default options"));
}

function taskOf(task, values, now, does) {
  const filtered = now.filtered(task);
  return make("section.task", { "aria-label": `Next ${words(task)}` },
    make("h4", {}, `Next ${words(task).toLowerCase()}`),
    make("ul", {}, ...values.map(([value, share]) => {
      const bar = make("span.bar", { "aria-hidden": "true" });
      bar.style.setProperty("--share", share);
      const said = [make("span.value", {}, value), make("span.share", {}, `${Math.round(100 * share)} %`), bar];
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
  bar.style.setProperty("--share", most > least ? 0.08 + (0.92 * (scores[place] - least)) / (most - least) : 1);
  const badges = [
    item && item.share === 0 ? make("span.badge", { title: "no training history" }, "new") : null,
    others ? moved(others.get(id), place) : null,
  ];
  const row = make("button.row", { type: "button", "data-item": id, title: "Add to the session", onclick: () => does.add(id) },
    make("span.place", {}, String(place + 1)), tile(title, values),
    make("span.text", {}, make("span.title", {}, title, ...badges.filter(Boolean).flatMap((badge) => [" ", badge])), make("span.meta", {}, [id, meta(values)].filter(Boolean).join(" · "))),
    make("span.score", {}, make("span.unseen", {}, now.isEmpty ? "share of what is bought " : "score "), (now.isEmpty ? percent : number)(scores[place]), bar));
  return make("li", {}, row, explanations[place] ? whyOf(explanations[place], now) : null);
}

function moved(before, place) {
  if (before === undefined) return make("span.badge.only", { title: "not in the other answer" }, "only here");
  if (before === place) return null;
  const up = before > place;
  return make(`span.badge.${up ? "up" : "down"}`, { title: `place ${before + 1} in the other answer` }, `${up ? "▲" : "▼"} ${Math.abs(before - place)}`);
}

function whyOf(why, now) {
  const event = why.event === null ? null : now.titles[why.event];
  const about = event ? [" · because of ", make("b", {}, event)] : [];
  const rows = [
    ...Object.entries(why.falls).map(([source, fall]) => [SOURCES[source] ?? words(source), fall]),
    ...(event && why.event_fall !== null ? [[`“${event}” in the session`, why.event_fall]] : []),
    ...(why.attribute && why.attribute_fall !== null ? [[`${words(why.attribute).toLowerCase()} of it`, why.attribute_fall]] : []),
  ];
  return make("details.why", {},
    make("summary", {}, words(SOURCES[why.by] ?? why.by), ...about),
    make("table", {}, make("caption", {}, "What the score loses without"),
      make("tbody", {}, ...rows.map(([what, fall]) => make("tr", {}, make("th", { scope: "row" }, what), make("td", {}, number(fall)))))));
}

// Messages of the recommender, each shown at the field that it is about.
import { make } from "./dom.js";

/** Return the element that a field of the request has on the page: the nearest that there is. */
function placeOf(name, column) {
  let path = name.replace(/^item_(?:ids|attributes)(?=\[)/, "session");
  while (path) {
    const found = document.querySelector(`[data-field="${CSS.escape(path)}"]`);
    if (found) return found.querySelector(":scope > .messages");
    // The name of a column may hold anything; what remains is shorter, whatever it is.
    path = path.replace(/(?:\[\d+\]|\.[^.]*|[^.]+)$/, "");
  }
  return column.querySelector(".messages.general");
}

function unfold(place) {
  const around = place.closest("details:not([open])");
  if (!around) return;
  around.open = true;
  unfold(around);
}

/**
 * Show the messages of all answers instead of those before.
 * @param {Array} answers of the versions.
 * @param {Array} columns that show them.
 * @param {boolean} isEmpty whether nothing was asked: what is said of that is no warning.
 */
export function showMessages(answers, columns, isEmpty) {
  document.querySelectorAll(".messages").forEach((place) => place.replaceChildren());
  document.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  answers.forEach(({ version, answer, messages }, number) => {
    for (const { field, text } of messages) {
      const place = placeOf(field, columns[number]);
      const said = answers.length > 1 && !columns[number].contains(place) ? `${text} (${version})` : text;
      if (!place || [...place.children].some((other) => other.textContent === said)) continue;
      const kind = !answer ? "p.fault" : isEmpty && !field ? "p.hint" : "p.note";
      place.append(make(kind, answer ? {} : { role: "alert" }, said));
      unfold(place);
      if (answer) continue;
      place.parentElement.querySelector("input, textarea, select")?.setAttribute("aria-invalid", "true");
    }
  });
}

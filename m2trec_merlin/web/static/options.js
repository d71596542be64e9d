// The options of a request, as the server describes them.
import { byId, make } from "./dom.js";
import { field, kindOf } from "./fields.js";

//: What is quick to use comes first; the rest is folded away until it is used.
const OPEN = ["switch", "number", "group"], FOLDED = ["items", "values", "choice", "text", "json"];

/**
 * Show a field for each option.
 * @param {object} schema of the options.
 * @param {object} options those that are set.
 * @param {function} change is told the options when one changes.
 */
export function showOptions(schema, options, change) {
  const now = { ...options }, named = Object.entries(schema.properties);
  const fieldOf = ([name, each]) =>
    field(name, each, `options.${name}`, now[name], (value) => {
      const usual = value === undefined || JSON.stringify(value) === JSON.stringify(each.default);
      if (usual) delete now[name];
      else now[name] = value;
      change({ ...now });
    });
  const of = (kinds) => kinds.flatMap((kind) => named.filter(([, each]) => kindOf(each) === kind));
  const folded = of(FOLDED);
  const isUsed = folded.some(([name]) => name in now), summary = make("summary", {}, "More options");
  const more = make("details.more", { open: isUsed }, summary, ...folded.map(fieldOf));
  byId("options").replaceChildren(...of(OPEN).map(fieldOf), ...(folded.length ? [more] : []));
}

// Fields for values that a JSON Schema describes: a new option of the server needs nothing new here.
import { describe, search, valuesOf } from "./api.js";
import { combobox } from "./combobox.js";
import { freshId, make, meta, tile, words } from "./dom.js";

const typesOf = (schema) => [schema.type ?? []].flat().filter((type) => type !== "null");

/** Of alternatives the first is what most people want. */
const plain = (schema) => (schema.anyOf ? { ...schema, ...schema.anyOf[0], anyOf: undefined } : schema);

/** What kind of field a schema asks for. */
export function kindOf(schema) {
  const { enum: choices, properties, items = {} } = plain(schema), types = typesOf(plain(schema));
  if (choices) return "choice";
  if (types.includes("object") && properties) return "group";
  if (types.includes("array")) {
    if (plain(items).format === "item-id") return "items";
    return typesOf(plain(items)).includes("string") ? "values" : "json";
  }
  if (types.includes("string")) return "text";
  if (types.includes("number") || types.includes("integer")) return "number";
  return types.includes("boolean") ? "switch" : "json";
}

/**
 * Make a field with its name, what it means, and a place for messages.
 * @param {string} name
 * @param {object} schema JSON Schema of the value.
 * @param {string} path by which messages name the field.
 * @param {*} value now; undefined if none is given.
 * @param {function} change is told a new value, undefined for none.
 */
export function field(name, schema, path, value, change) {
  const kind = kindOf(schema), id = freshId("field"), hint = schema.description ? `${id}-hint` : null;
  const one = { id, schema: plain(schema), value, change, path, hint, name: words(name) };
  const element = make(`div.field.${kind}`, { "data-field": path });
  const explained = hint && make("p.hint", { id: hint }, schema.description);
  if (kind === "group") {
    element.append(make("fieldset", {}, make("legend", {}, one.name), explained, ...makers.group(one)));
  } else {
    const label = make("label", { for: id }, one.name);
    element.append(make("div.said", {}, label, explained), make("div.control", {}, ...makers[kind](one)));
  }
  element.append(make("div.messages"));
  return element;
}

const makers = {
  switch: ({ id, schema, value, change, hint }) => {
    const box = make("input", { id, type: "checkbox", role: "switch", "aria-describedby": hint });
    box.checked = value ?? schema.default ?? false;
    box.addEventListener("change", () => change(box.checked));
    return [box];
  },

  number: ({ id, schema, value, change, hint, name }) => {
    const { minimum, maximum } = schema, whole = typesOf(schema).includes("integer");
    const input = make("input", {
      id, type: "number", "aria-describedby": hint, step: whole ? 1 : "any", inputmode: "decimal",
      min: Math.abs(minimum) < 1e9 ? minimum : null, max: Math.abs(maximum) < 1e9 ? maximum : null,
      placeholder: schema.default ?? "",
    });
    input.value = value ?? "";
    // What is no number yet has no value to a browser: nothing is asked before it is one.
    const tell = () => input.validity.badInput || change(input.value === "" ? undefined : Number(input.value));
    input.addEventListener("input", tell);
    if (!(minimum === 0 && maximum === 1)) return [input];
    const slider = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": name });
    slider.value = value ?? schema.default ?? 1;
    slider.addEventListener("input", () => { input.value = slider.value; tell(); });
    input.addEventListener("input", () => { slider.value = input.value || (schema.default ?? 1); });
    return [slider, input];
  },

  text: ({ id, schema, value, change, hint }) => {
    const known = schema.attribute && make("datalist", { id: `${id}-known` });
    const numeric = typesOf(schema).includes("number") && schema.pattern;
    const input = make("input", {
      id, type: "text", autocomplete: "off", "aria-describedby": hint, list: known?.id,
      inputmode: numeric ? "decimal" : null, placeholder: schema.default ?? "",
    });
    input.value = value ?? "";
    input.addEventListener("input", () => {
      const text = input.value.trim(), number = Number(text);
      change(text === "" ? undefined : numeric && Number.isFinite(number) ? number : input.value);
    });
    const suggest = async () => {
      try {
        const values = await valuesOf(schema.attribute, input.value);
        known.replaceChildren(...values.map((each) => make("option", { value: each })));
      } catch { /* A field without suggestions is a field. */ }
    };
    if (known) { input.addEventListener("focus", suggest); input.addEventListener("input", suggest); }
    return [input, known];
  },

  choice: ({ id, schema, value, change, hint }) => {
    const options = schema.enum.map((each) => make("option", { value: each }, words(String(each))));
    const select = make("select", { id, "aria-describedby": hint }, make("option", { value: "" }, "–"), ...options);
    select.value = value ?? "";
    select.addEventListener("change", () => change(select.value === "" ? undefined : select.value));
    return [select];
  },

  values: ({ id, schema, value, change, hint, name, path }) => {
    const attribute = schema.attribute ?? schema.items.attribute;
    return chips({
      id, hint, name, value, change, show: (each) => String(each),
      box: {
        placeholder: path.startsWith("options.") ? "Any" : "", find: (text, signal) => (attribute ? valuesOf(attribute, text, signal) : []),
        show: (each) => [make("span", {}, each)], idOf: (each) => each, free: (text) => text,
      },
    });
  },

  items: ({ id, value, change, hint, name }) =>
    chips({
      id, hint, name, value, change,
      show: async (each) => (await describe([idOf(each)]))[0]?.title ?? idOf(each),
      box: {
        placeholder: "Find items", find: search, show: line, idOf: (item) => item.item_id,
        free: (text) => ({ item_id: text }),
      },
    }),

  group: ({ schema, value, change, path }) => {
    const now = { ...value };
    return Object.entries(schema.properties).map(([name, each]) =>
      field(name, each, `${path}.${name}`, now[name], (found) => {
        if (found === undefined || (Array.isArray(found) && !found.length)) delete now[name];
        else now[name] = found;
        change(Object.keys(now).length ? { ...now } : undefined);
      }));
  },

  json: ({ id, schema, value, change, hint }) => {
    const box = make("textarea", { id, rows: 2, spellcheck: "false", "aria-describedby": hint, placeholder: listOf(schema) ?? "JSON" });
    box.value = value === undefined ? "" : JSON.stringify(value);
    box.addEventListener("input", () => {
      box.removeAttribute("aria-invalid");
      if (!box.value.trim()) return change(undefined);
      try { change(JSON.parse(box.value)); } catch { box.setAttribute("aria-invalid", "true"); }
    });
    return [box];
  },
};

const listOf = ({ minItems, maxItems }) => (minItems && minItems === maxItems ? `[ ${minItems} numbers, … ]` : null);

const idOf = (each) => (typeof each === "object" ? String(each.item_id) : String(each));

/** The line of an item that was found. */
export function line(item) {
  return [tile(item.title, item.values), make("span.text", {},
    make("span.title", {}, item.title), make("span.meta", {}, [item.item_id, meta(item.values)].filter(Boolean).join(" · ")))];
}

/** Several values, each of which can be taken away again. */
function chips({ id, hint, name, value, change, show, box }) {
  let chosen = [...(value ?? [])];
  const list = make("ul.chips", { "aria-label": name });
  const tell = () => { draw(); change(chosen.length ? [...chosen] : undefined); };
  function draw() {
    list.replaceChildren(...chosen.map((each, place) => {
      const text = make("span");
      Promise.resolve(show(each)).catch(() => idOf(each)).then((said) => {
        text.textContent = said;
        remove.setAttribute("aria-label", `Remove ${said}`);
      });
      const remove = make("button", { type: "button", onclick: () => { chosen.splice(place, 1); tell(); find.querySelector("input").focus(); } }, "×");
      return make("li", {}, text, remove);
    }));
    list.hidden = !chosen.length;
  }
  const find = combobox({
    id, label: name, describedBy: hint, ...box,
    choose: (thing) => {
      const each = box.idOf(thing);
      if (!chosen.some((other) => idOf(other) === each)) { chosen.push(each); tell(); }
    },
  });
  draw();
  return [list, find];
}

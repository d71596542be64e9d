// Fields for values that a JSON Schema describes: a new option of the server needs nothing new here.
import { describe, search, valuesOf } from "./api.js";
import { combobox } from "./combobox.js";
import { freshId, itemText, make, tile, words } from "./dom.js";

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
  const element = make("div", { "data-field": path });
  let now = value, asJson = !fits(kindOf(schema), plain(schema), value);
  function draw() {
    const kind = asJson ? "json" : kindOf(schema), id = freshId("field");
    const hint = schema.description ? `${id}-hint` : null;
    const tell = (found) => { now = found; change(found); };
    const one = { id, schema: plain(schema), value: now, change: tell, path, hint, name: words(name) };
    const explained = hint && make("p.hint", { id: hint }, schema.description);
    const turn = () => {
      if (asJson && !fits(kindOf(schema), plain(schema), now)) return;
      asJson = !asJson;
      draw();
    };
    const others = (schema.anyOf ?? schema.items?.anyOf) && make("button.quiet.json", {
      type: "button", "aria-label": `${one.name} as JSON`, "aria-pressed": String(asJson),
      title: "As JSON: for all that can be said", onclick: turn,
    }, "{ }");
    element.className = `field ${kind}`;
    if (kind === "group") {
      const legend = make("legend", {}, one.name, others);
      element.replaceChildren(make("fieldset", {}, legend, explained, ...makers.group(one)));
    } else {
      const label = make("label", { for: id }, one.name);
      const said = make("div.said", {}, label, others, explained);
      element.replaceChildren(said, make("div.control", {}, ...makers[kind](one)));
    }
    element.append(make("div.messages"));
  }
  draw();
  return element;
}

/** Tell whether a kind of field can show a value; if not, it is shown as JSON. */
function fits(kind, schema, value) {
  if (value === undefined) return true;
  const type = typeof value, scalar = (each) => ["string", "number", "boolean"].includes(typeof each);
  if (kind === "values") return [value].flat().every(scalar);
  if (kind === "items") return [value].flat().every((each) => scalar(each) || each?.item_id !== undefined);
  if (kind === "group") {
    return value?.constructor === Object && Object.keys(value).every((key) => key in schema.properties);
  }
  if (kind === "choice") return schema.enum.includes(value);
  if (kind === "text") return scalar(value);
  return kind === "json" || type === { number: "number", switch: "boolean" }[kind];
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
    const tell = () => {
      if (!input.validity.badInput) change(input.value === "" ? undefined : Number(input.value));
    };
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
      const text = input.value.trim();
      // What a point or a comma means, the recommender knows.
      change(text === "" ? undefined : numeric && /^-?\d{1,15}$/.test(text) ? Number(text) : input.value);
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
    const none = make("option", { value: "" }, "–");
    const select = make("select", { id, "aria-describedby": hint }, none, ...options);
    select.value = value ?? "";
    select.addEventListener("change", () => change(select.value === "" ? undefined : select.value));
    return [select];
  },

  values: ({ id, schema, value, change, hint, name, path }) => {
    const attribute = schema.attribute ?? schema.items.attribute;
    return chips({
      id, hint, name, value, change, show: (each) => String(each),
      box: {
        placeholder: path.startsWith("options.") ? "Any" : "",
        find: (text, signal) => (attribute ? valuesOf(attribute, text, signal) : []),
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
    const placeholder = listOf(schema) ?? "JSON";
    const box = make("textarea", { id, rows: 2, spellcheck: "false", "aria-describedby": hint, placeholder });
    box.value = value === undefined ? "" : JSON.stringify(value);
    box.addEventListener("input", () => {
      box.removeAttribute("aria-invalid");
      if (!box.value.trim()) return change(undefined);
      try { change(JSON.parse(box.value)); } catch { box.setAttribute("aria-invalid", "true"); }
    });
    return [box];
  },
};

const listOf = ({ minItems: least, maxItems: most }) =>
  (least && least === most ? `[ ${least} numbers, … ]` : null);

const idOf = (each) => (typeof each === "object" ? String(each.item_id) : String(each));

/** The line of an item that was found. */
export const line = ({ item_id: id, title, values }) => [tile(title, values), itemText(title, id, values)];

/** Several values, each of which can be taken away again. */
function chips({ id, hint, name, value, change, show, box }) {
  let chosen = [value ?? []].flat();
  const list = make("ul.chips", { "aria-label": name });
  const tell = () => { draw(); change(chosen.length ? [...chosen] : undefined); };
  function draw() {
    list.replaceChildren(...chosen.map((each, place) => {
      const text = make("span");
      Promise.resolve(show(each)).catch(() => idOf(each)).then((said) => {
        text.textContent = said;
        remove.setAttribute("aria-label", `Remove ${said}`);
      });
      const take = () => {
        chosen.splice(place, 1);
        tell();
        find.querySelector("input").focus();
      };
      const remove = make("button", { type: "button", onclick: take }, "×");
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

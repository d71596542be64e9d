// The request as a program asks it.

function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`);
  return `{${entries.join(", ")}}`;
}

/** Return the code that gets the same answer from the library. */
export function inPython({ session, options }) {
  const named = Object.entries(options).map(([name, value]) => `${name}=${literal(value)}`);
  return [
    "import m2trec_merlin as m2trec",
    "",
    'recommender = m2trec.load("runs/...")',
    `answer = recommender.recommend(${[literal(session), ...named].join(", ")})`,
  ].join("\n");
}

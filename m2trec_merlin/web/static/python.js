// The request as a program asks it.

const literal = (value) => {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`).join(", ")}}`;
  return JSON.stringify(value);
};

export function inPython({ session, options }) {
  const said = [literal(session), ...Object.entries(options).map(([name, value]) => `${name}=${literal(value)}`)];
  return `import m2trec_merlin as m2trec\n\nrecommender = m2trec.load("runs/...")\nanswer = recommender.recommend(${said.join(", ")})`;
}

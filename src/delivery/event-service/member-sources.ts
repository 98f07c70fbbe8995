/** Strings as a whole, so that what looks like structure inside of them is none; and all that is structure. */
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\],:]/g;

const DEPTHS: Readonly<Record<string, number>> = { "{": 1, "[": 1, "}": -1, "]": -1 };

/**
 * The members of a JSON object, each as the text that stands for its value: what is passed on keeps its own notation
 * of numbers. `json` has been parsed before. Of a repeated name the last one counts, as with `JSON.parse`.
 */
export const memberSources = (json: string): ReadonlyMap<string, string> => {
  const members = new Map<string, string>();
  let name = "";
  let start: number | undefined;
  let depth = 0;
  for (const { 0: token, index } of json.matchAll(TOKENS)) {
    const after = depth + (DEPTHS[token] ?? 0);
    const ends = (token === "," && depth === 1) || after === 0;
    if (start === undefined && token.startsWith('"')) name = JSON.parse(token) as string;
    else if (start === undefined && token === ":") start = index + 1;
    else if (start !== undefined && ends) {
      members.set(name, json.slice(start, index).trim());
      start = undefined;
    }
    depth = after;
  }
  return members;
};

/** Cuts a text after `longest` characters and adds an ellipsis. For answers of other servers, which may be long. */
export const cut = (text: string, longest = 1000): string =>
  text.length <= longest ? text : `${text.slice(0, longest).replace(/[\ud800-\udbff]$/, "")}…`;

/** The distinct texts in the order of their first occurrence, separated by commas. */
export const joinedDistinct = (texts: readonly string[]): string => [...new Set(texts)].join(",");

/** Levenshtein distance: insertions, deletions and replacements that turn one word into the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of from.split("").entries()) {
    const next = [line + 1];
    for (const [column, other] of to.split("").entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
};

/**
 * The candidate with the smallest edit distance, ignoring case; of several such candidates, the first. undefined: there are no
 * candidates.
 */
export const nearest = (word: string, candidates: readonly string[]): string | undefined => {
  // Bounds the CPU time for a very long word.
  const wanted = word.slice(0, 100).toLowerCase();
  const ranked = candidates.map((name) => ({ name, edits: distance(wanted, name.toLowerCase()) }));
  return ranked.sort((a, b) => a.edits - b.edits)[0]?.name;
};

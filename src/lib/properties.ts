/** The text format of Java's properties files (`java.util.Properties`). */

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (_, code: string | undefined, char: string) =>
    code === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  );

/** A backslash at the end of a line continues it, unless the backslash is itself escaped. */
const continues = (line: string): boolean => (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1;

/** A key ends at the first `=`, `:` or blank that isn't escaped. */
const ENTRY = /^((?:\\[^]|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*([^]*)$/;

/** A later entry of the same key replaces an earlier one. */
export const parseProperties = (text: string): ReadonlyMap<string, string> => {
  const entries = new Map<string, string>();
  let open = "";
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.replace(/^[ \t\f]+/, "");
    if (open === "" && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    open += line;
    if (continues(line)) {
      open = open.slice(0, -1);
      continue;
    }
    const [, key = "", value = ""] = ENTRY.exec(open) ?? [];
    entries.set(unescaped(key), unescaped(value));
    open = "";
  }
  return entries;
};

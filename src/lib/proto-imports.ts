/** Finds the import statements of .proto files, without the parser of Protobuf schemas. */

/** Comments, strings, words and single characters. */
const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.]+|\S/g;

const isComment = (token: string): boolean => token.startsWith("//") || token.startsWith("/*");

const MODIFIERS: ReadonlySet<string | undefined> = new Set(["public", "weak", "option"]);

/** The names in the import statements of a .proto text, in its order. */
export const protoImports = (text: string): readonly string[] => {
  const tokens = (text.match(TOKEN) ?? []).filter((token) => !isComment(token));
  return tokens.flatMap((token, index) => {
    if (token !== "import") return [];
    const at = MODIFIERS.has(tokens[index + 1]) ? index + 2 : index + 1;
    const name = tokens[at] ?? "";
    return /^["'].+["']$/.test(name) ? [name.slice(1, -1)] : [];
  });
};

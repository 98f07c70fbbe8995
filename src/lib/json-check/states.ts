/** The grammar of JSON as a table: which state follows a state and a byte. */

const NAMES = [
  ...["start", "value", "firstElement", "firstName", "name", "colon", "afterElement", "afterMember"],
  ...["string", "escape", "hex1", "hex2", "hex3", "hex4"],
  ...["nameString", "nameEscape", "nameHex1", "nameHex2", "nameHex3", "nameHex4"],
  ...["minus", "zero", "integer", "point", "fraction", "exponent", "exponentSign", "exponentDigits"],
  ...["t1", "t2", "t3", "f1", "f2", "f3", "f4", "n1", "n2", "n3"],
  // From here on something has to be done beside going to another state.
  ...["wrong", "openArray", "openObject", "close", "end", "endBefore"],
] as const;

type State = (typeof NAMES)[number];

export const CODES = Object.fromEntries(NAMES.map((name, code) => [name, code])) as Readonly<
  Record<State, number>
>;
/** The next state at `state * 256 + byte`. Codes from `wrong` on are no states: something has to be done. */
export const NEXT = new Uint8Array(NAMES.length * 256).fill(CODES.wrong);

const rule = (from: State, bytes: string, to: State): void => {
  for (const character of bytes) NEXT[CODES[from] * 256 + character.charCodeAt(0)] = CODES[to];
};
const everyByte = (from: State, least: number, to: State): void => {
  NEXT.fill(CODES[to], CODES[from] * 256 + least, CODES[from] * 256 + 256);
};

const SPACE = " \t\n\r";
const DIGITS = "0123456789";
const HEX = `${DIGITS}abcdefABCDEF`;

for (const state of ["start", "value", "firstElement"] as const) {
  rule(state, SPACE, state);
  rule(state, "{", "openObject");
  rule(state, "[", "openArray");
  rule(state, '"', "string");
  rule(state, "-", "minus");
  rule(state, "0", "zero");
  rule(state, "123456789", "integer");
  rule(state, "t", "t1");
  rule(state, "f", "f1");
  rule(state, "n", "n1");
}
rule("firstElement", "]", "close");
for (const state of ["firstName", "name"] as const) {
  rule(state, SPACE, state);
  rule(state, '"', "nameString");
}
rule("firstName", "}", "close");
rule("colon", SPACE, "colon");
rule("colon", ":", "value");
rule("afterElement", SPACE, "afterElement");
rule("afterElement", ",", "value");
rule("afterElement", "]", "close");
rule("afterMember", SPACE, "afterMember");
rule("afterMember", ",", "name");
rule("afterMember", "}", "close");

const stringRules = (inside: State, escape: State, hex: readonly State[], after: State): void => {
  everyByte(inside, 0x20, inside);
  rule(inside, '"', after);
  rule(inside, "\\", escape);
  rule(escape, '"\\/bfnrt', inside);
  rule(escape, "u", hex[0] ?? inside);
  for (const [i, state] of hex.entries()) rule(state, HEX, hex[i + 1] ?? inside);
};
stringRules("string", "escape", ["hex1", "hex2", "hex3", "hex4"], "end");
stringRules("nameString", "nameEscape", ["nameHex1", "nameHex2", "nameHex3", "nameHex4"], "colon");

rule("minus", "0", "zero");
rule("minus", "123456789", "integer");
for (const state of ["zero", "integer", "fraction", "exponentDigits"] as const)
  everyByte(state, 0, "endBefore");
rule("integer", DIGITS, "integer");
for (const state of ["zero", "integer"] as const) rule(state, ".", "point");
for (const state of ["zero", "integer", "fraction"] as const) rule(state, "eE", "exponent");
rule("point", DIGITS, "fraction");
rule("fraction", DIGITS, "fraction");
rule("exponent", "+-", "exponentSign");
for (const state of ["exponent", "exponentSign", "exponentDigits"] as const)
  rule(state, DIGITS, "exponentDigits");
for (const [from, letter, to] of [
  ...([
    ["t1", "r", "t2"],
    ["t2", "u", "t3"],
    ["t3", "e", "end"],
  ] as const),
  ...([
    ["f1", "a", "f2"],
    ["f2", "l", "f3"],
    ["f3", "s", "f4"],
    ["f4", "e", "end"],
  ] as const),
  ...([
    ["n1", "u", "n2"],
    ["n2", "l", "n3"],
    ["n3", "l", "end"],
  ] as const),
])
  rule(from, letter, to);

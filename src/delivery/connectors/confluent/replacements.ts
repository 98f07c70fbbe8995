/** `regex.patterns` and `regex.replacements`: RE2 patterns whose matches are replaced one pattern after the other. */
import { RE2JS } from "re2js";
import {
  fill,
  type Filled,
  parseTemplate,
  plainText,
  type Template,
  type TemplateSource,
} from "./template.ts";

/** A part of a replacement: a text with templates, or the number of a group of the match. */
type Part = Template | number;

interface Rule {
  readonly pattern: RE2JS;
  readonly parts: readonly Part[];
}

export type Replacements = readonly Rule[];

const compile = (source: string): RE2JS | undefined => {
  try {
    return RE2JS.compile(source);
  } catch {
    return undefined;
  }
};

/** `\x` is the character x, `$1` a group, as in Java's `Matcher.replaceAll`. A number takes as many digits as there are groups. */
const partsOf = (replacement: string, groups: number): readonly Part[] | undefined => {
  const parts: Part[] = [];
  let text = "";
  let at = 0;
  const end = (): void => {
    if (text !== "") parts.push(parseTemplate(text));
    text = "";
  };
  while (at < replacement.length) {
    const character = replacement.charAt(at);
    const next = replacement.charAt(at + 1);
    if (character === "\\" && next !== "") {
      end();
      parts.push([next]);
      at += 2;
    } else if (character === "$" && /\d/.test(next)) {
      let digits = next;
      while (/^\d$/.test(replacement.charAt(at + 1 + digits.length))) {
        const longer = digits + replacement.charAt(at + 1 + digits.length);
        if (Number(longer) > groups) break;
        digits = longer;
      }
      if (Number(digits) > groups) return undefined;
      end();
      parts.push(Number(digits));
      at += 1 + digits.length;
    } else {
      text += character;
      at += 1;
    }
  }
  end();
  return parts;
};

/** `at`: index of the wrong pattern. */
type Compiled =
  { readonly rules: Replacements } | { readonly of: "patterns" | "replacements"; readonly reason: string };

/** Missing replacements are empty. */
export const compileReplacements = (
  patterns: readonly string[],
  replacements: readonly string[],
): Compiled => {
  const rules: Rule[] = [];
  for (const [index, source] of patterns.entries()) {
    const pattern = compile(source);
    if (pattern === undefined)
      return { of: "patterns", reason: `Pattern ${index + 1} is not a regular expression of RE2` };
    const parts = partsOf(replacements[index] ?? "", pattern.groupCount());
    if (parts === undefined)
      return {
        of: "replacements",
        reason: `Replacement ${index + 1} names a group that its pattern does not have`,
      };
    rules.push({ pattern, parts });
  }
  return { rules };
};

const replaceAll = ({ pattern, parts }: Rule, text: string, source: TemplateSource): Filled => {
  const filled = parts.map((part) => (typeof part === "number" ? part : fill(part, source, plainText)));
  const broken = filled.find((part) => typeof part !== "number" && "reason" in part);
  if (broken !== undefined && typeof broken !== "number") return broken;
  const matcher = pattern.matcher(text);
  let result = "";
  let from = 0;
  while (matcher.find()) {
    result += text.slice(from, matcher.start());
    for (const part of filled) {
      if (typeof part === "number") result += matcher.group(part) ?? "";
      else if ("text" in part) result += part.text;
    }
    from = matcher.end();
  }
  return { text: result + text.slice(from) };
};

/** The text after all patterns. A template that can't be filled is a failure, also if its pattern does not match. */
export const replaced = (text: string, rules: Replacements, source: TemplateSource): Filled => {
  let current: Filled = { text };
  for (const rule of rules) {
    if ("reason" in current) return current;
    current = replaceAll(rule, current.text, source);
  }
  return current;
};

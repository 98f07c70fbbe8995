/** The fenced blocks of a page, and the output that the page promises for each. */
import { readFile } from "node:fs/promises";

/**
 * The word behind `sh` decides how the tests of the pages handle a block. Without a word the block is run and must
 * print the text of its `#>` lines. `start`: the block starts the gateway of the page. Blocks with other words are not
 * run: they need a `cluster` or another external system, or a `browser`, or another part of `ci` runs them.
 */
export const KINDS = ["", "start", "cluster", "browser", "ci"] as const;
export type Kind = (typeof KINDS)[number];

export interface Fence {
  readonly language: string;
  /** The word behind the language. */
  readonly word: string;
  readonly text: string;
  /** Number of its first line in the page. */
  readonly line: number;
}

export interface Page {
  readonly file: string;
  readonly fences: readonly Fence[];
}

const FENCE = /^( *)```(\w+) ?(.*)\n([\s\S]*?)^ *```$/gm;

/** Removes the indentation of a block inside a list. */
const dedented = (text: string, indent: string): string =>
  indent === "" ? text : text.replaceAll(new RegExp(`^${indent}`, "gm"), "");

export const fencesOf = (text: string): readonly Fence[] =>
  [...text.matchAll(FENCE)].map(
    ({ 1: indent = "", 2: language = "", 3: word = "", 4: body = "", index }) => ({
      language,
      word: word.trim(),
      text: dedented(body, indent),
      line: text.slice(0, index).split("\n").length,
    }),
  );

export const readPage = async (file: string): Promise<Page> => ({
  file,
  fences: fencesOf(await readFile(file, "utf8")),
});

/** The blocks of shell commands with this word. */
export const commandsOf = ({ fences }: Page, kind: Kind): readonly Fence[] =>
  fences.filter(({ language, word }) => language === "sh" && word === kind);

const SHELLS = ["sh", "bash", "shell", "zsh", "console", "terminal", "shellsession"];

/** The positions of commands that are neither run nor marked. */
export const unmarked = ({ file, fences }: Page): readonly string[] =>
  fences
    .filter(({ language }) => SHELLS.includes(language))
    .filter(({ language, word }) => language !== "sh" || !KINDS.some((kind) => kind === word))
    .map(({ line, language, word }) => `${file}:${line} ${language} ${word}`);

/** true: the page has commands to run. */
export const isRun = (page: Page): boolean =>
  commandsOf(page, "").length + commandsOf(page, "start").length > 0;

const KAFKA = /(127\.0\.0\.1|localhost):9092/;

const REGISTRY = /(127\.0\.0\.1|localhost):8081/;

const names = (page: Page, address: RegExp): boolean =>
  [...commandsOf(page, ""), ...commandsOf(page, "start"), ...filesOf(page)].some(({ text }) =>
    address.test(text),
  );

/** true: the commands of the page need a Kafka. */
export const needsKafka = (page: Page): boolean => names(page, KAFKA);

/** true: the commands of the page need a schema registry. */
export const needsRegistry = (page: Page): boolean => names(page, REGISTRY);

/** The files of a page: a block `yaml stationgate.yaml` is written under this name before the start. */
export const filesOf = ({ fences }: Page): readonly Fence[] =>
  fences.filter(({ language, word }) => language !== "sh" && /^[\w-]+\.(ya?ml|json|m?js)$/.test(word));

/** The promised beginnings of the printed lines, in order. */
export const promisesOf = ({ text }: Fence): readonly string[] =>
  [...text.matchAll(/^#> (.*)$/gm)].map(([, promise = ""]) => promise);

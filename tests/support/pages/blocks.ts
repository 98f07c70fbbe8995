/** The commands of a page: its fenced blocks, and what is promised of each. */
import { readFile } from "node:fs/promises";

/**
 * The word behind `sh` says what becomes of a block when the pages are tested. None: it is run, and prints what its
 * `#>` lines promise. `start`: it starts the gateway of the page. The others are not run: they need a `cluster` or
 * another system outside, a `browser` to look at, or are what `ci` does by itself.
 */
export const KINDS = ["", "start", "cluster", "browser", "ci"] as const;
export type Kind = (typeof KINDS)[number];

export interface Fence {
  readonly language: string;
  /** What stands behind the language. */
  readonly word: string;
  readonly text: string;
  /** Of the page, where it begins. */
  readonly line: number;
}

export interface Page {
  readonly file: string;
  readonly fences: readonly Fence[];
}

const FENCE = /^( *)```(\w+) ?(.*)\n([\s\S]*?)^ *```$/gm;

/** Blocks inside of lists are indented: what is run is not. */
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

/** Blocks of shell commands, of one kind. */
export const commandsOf = ({ fences }: Page, kind: Kind): readonly Fence[] =>
  fences.filter(({ language, word }) => language === "sh" && word === kind);

const SHELLS = ["sh", "bash", "shell", "zsh", "console", "terminal", "shellsession"];

/** Where a page has commands that are neither run nor marked. */
export const unmarked = ({ file, fences }: Page): readonly string[] =>
  fences
    .filter(({ language }) => SHELLS.includes(language))
    .filter(({ language, word }) => language !== "sh" || !KINDS.some((kind) => kind === word))
    .map(({ line, language, word }) => `${file}:${line} ${language} ${word}`);

/** Has it anything to run? */
export const isRun = (page: Page): boolean =>
  commandsOf(page, "").length + commandsOf(page, "start").length > 0;

const KAFKA = /(127\.0\.0\.1|localhost):9092/;

/** Does what is run of it reach for a Kafka? */
export const needsKafka = (page: Page): boolean =>
  [...commandsOf(page, ""), ...commandsOf(page, "start"), ...filesOf(page)].some(({ text }) =>
    KAFKA.test(text),
  );

/** Files that a page shows: `yaml stationgate.yaml` is written under that name before anything starts. */
export const filesOf = ({ fences }: Page): readonly Fence[] =>
  fences.filter(({ language, word }) => language !== "sh" && /^[\w-]+\.(ya?ml|json|m?js)$/.test(word));

/** What the lines of a block are promised to begin with, in order. */
export const promisesOf = ({ text }: Fence): readonly string[] =>
  [...text.matchAll(/^#> (.*)$/gm)].map(([, promise = ""]) => promise);

/** Filters: CEL expressions that decide which events pass. */
import type { Event } from "../event.ts";
import { compileTree, Refusal } from "./compile.ts";
import { createEnvironment, MAX_DEPTH, MAX_NODES } from "./library.ts";
import { MAX_STEPS } from "./steps.ts";

export type FilterOutcome = "match" | "no_match" | "error";

/** Never throws. Only an event with `match` passes. */
export type Filter = (event: Event) => FilterOutcome;

export type CompiledFilter = { readonly filter: Filter } | { readonly reason: string };

const MAX_BYTES = 4096;

/** cel-js's errors have a code, and a message without the place. */
interface Fault {
  readonly code?: string;
  readonly summary?: string;
  readonly range?: { readonly start: number };
}

const reasonOf = (error: unknown): string => {
  if (error instanceof Refusal) return error.message;
  const { code, summary = "the expression can't be read", range } = error as Fault;
  if (code === "limit_exceeded" && summary.includes("maxAstNodes"))
    return `it has more than ${MAX_NODES} nodes`;
  if (code === "limit_exceeded" && summary.includes("maxDepth")) return `it is deeper than ${MAX_DEPTH}`;
  return range === undefined ? summary : `${summary} (at character ${range.start + 1})`;
};

const BOOLS = new Set<string | undefined>(["bool", "dyn"]);

/** Throws a Refusal or an error of the library. */
const compile = (text: string): Filter => {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new Refusal(`it is longer than ${MAX_BYTES / 1024} KiB`);
  const parsed = createEnvironment().parse(text);
  const { valid, type, error } = parsed.check();
  if (!valid) throw error ?? new Refusal("its types are wrong");
  const { run, nodes } = compileTree(parsed.ast);
  if (!BOOLS.has(type)) throw new Refusal(`its result is never a bool, but of the type ${type ?? "unknown"}`);
  return (event) => {
    try {
      return outcomeOf(run({ event, slots: [], stepsLeft: MAX_STEPS - nodes }));
    } catch {
      return "error";
    }
  };
};

const outcomeOf = (result: unknown): FilterOutcome => {
  if (typeof result !== "boolean") return "error";
  return result ? "match" : "no_match";
};

/** Returns the filter, or the reason why the text is not a filter. */
export const compileFilter = (text: string): CompiledFilter => {
  try {
    return { filter: compile(text) };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
};

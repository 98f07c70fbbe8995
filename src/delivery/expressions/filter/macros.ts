/** CEL's macros over the elements of a list or the names of a map. */
import { kindOf } from "./library.ts";
import { noOverload } from "./operators.ts";
import { FilterFailure, type Frame, type Run, spend, TOO_MANY_STEPS } from "./steps.ts";

/** Names of the macros that call an expression for each element. */
export const MACROS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** The parts of a macro. */
export interface Macro {
  readonly name: string;
  readonly range: Run;
  /** Runs an expression of the macro for one element. */
  readonly predicate: (frame: Frame, element: unknown) => unknown;
  /** Only of `map`: what becomes of an element. */
  readonly transform: ((frame: Frame, element: unknown) => unknown) | undefined;
}

const NOT_A_BOOL = new FilterFailure("the condition of a macro is no bool");

const elementsOf = (frame: Frame, range: unknown): readonly unknown[] => {
  const elements: readonly unknown[] | undefined = Array.isArray(range)
    ? range
    : kindOf(range) === "map"
      ? Object.keys(range as object)
      : undefined;
  if (elements === undefined) throw noOverload("a macro");
  spend(frame, elements.length);
  return elements;
};

const holds = (value: unknown): boolean => {
  if (typeof value !== "boolean") throw NOT_A_BOOL;
  return value;
};

/** Looks for an element with this result. An error counts only if no element has the result. */
const some = (frame: Frame, { range, predicate }: Macro, wanted: boolean): boolean => {
  let failure: Error | undefined;
  for (const element of elementsOf(frame, range(frame))) {
    try {
      if (holds(predicate(frame, element)) === wanted) return true;
    } catch (error) {
      if (error === TOO_MANY_STEPS) throw error;
      failure = error as Error;
    }
  }
  if (failure !== undefined) throw failure;
  return false;
};

const chosen = (frame: Frame, { range, predicate }: Macro): readonly unknown[] =>
  elementsOf(frame, range(frame)).filter((element) => holds(predicate(frame, element)));

const mapped = (frame: Frame, macro: Macro): readonly unknown[] => {
  const { range, predicate, transform } = macro;
  if (transform === undefined)
    return elementsOf(frame, range(frame)).map((element) => predicate(frame, element));
  const results: unknown[] = [];
  for (const element of elementsOf(frame, range(frame)))
    if (holds(predicate(frame, element))) results.push(transform(frame, element));
  return results;
};

export const compileMacro = (macro: Macro): Run => {
  switch (macro.name) {
    case "all":
      return (frame) => !some(frame, macro, false);
    case "exists":
      return (frame) => some(frame, macro, true);
    case "exists_one":
      return (frame) => chosen(frame, macro).length === 1;
    case "filter":
      return (frame) => chosen(frame, macro);
    default:
      return (frame) => mapped(frame, macro);
  }
};

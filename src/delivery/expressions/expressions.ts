/** What filters and transforms need of the process that runs them. */
import type { FilterOutcome } from "./filter/filter.ts";

export interface Expressions {
  /** Called after each evaluation of a filter. */
  readonly evaluated: (outcome: FilterOutcome) => void;
}

export const NO_EXPRESSIONS: Expressions = { evaluated: () => undefined };

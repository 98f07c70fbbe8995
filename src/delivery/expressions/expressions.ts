/** What filters and transforms need of the process that runs them. */
import { GatewayError } from "../../errors.ts";
import type { FilterOutcome } from "./filter/filter.ts";
import type { Sandbox } from "./transform/sandbox.ts";

export interface Expressions {
  /** Called after each evaluation of a filter. */
  readonly evaluated: (outcome: FilterOutcome) => void;
  readonly sandbox: Sandbox;
}

/** Counts nothing, and runs no transform. */
export const NO_EXPRESSIONS: Expressions = {
  evaluated: () => undefined,
  sandbox: {
    run: () => Promise.reject(new GatewayError("INTERNAL", { message: "There is no sandbox" })),
    close: () => undefined,
  },
};

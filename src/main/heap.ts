/**
 * The size of the young generation: the default of Node 20 and 22. Node 24 lets it grow four times as far, for no speed. With a smaller
 * one the objects of a large batch reach the old generation before the batch is stored (docs/performance.md).
 */
const SEMI_SPACE = "--max-semi-space-size";

/** Node's arguments of this process, and its environment. */
interface Start {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Partial<Record<string, string>>>;
}

/** Arguments of Node for the workers of this process. A size that the operator has given stays. V8 reads it only at its start. */
export const workerArguments = ({ execArgv, env }: Start): readonly string[] => {
  const given = [...execArgv, env["NODE_OPTIONS"] ?? ""].join(" ").replaceAll("_", "-");
  return given.includes(SEMI_SPACE) ? execArgv : [...execArgv, `${SEMI_SPACE}=16`];
};

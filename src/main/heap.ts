/**
 * The size of the young generation. The objects of a request live for milliseconds, so collections find little to keep, and a small
 * young generation costs no CPU (docs/performance.md).
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
  return given.includes(SEMI_SPACE) ? execArgv : [...execArgv, `${SEMI_SPACE}=4`];
};

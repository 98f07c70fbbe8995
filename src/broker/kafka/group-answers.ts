/** What the Kafka errors of a group's requests mean to its member. */
import { GatewayError } from "../../errors.ts";
import { refusalsOf } from "./coordinators.ts";

export const ENDED = ["UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID", "GROUP_ID_NOT_FOUND"];
export const OUTDATED = ["ILLEGAL_GENERATION"];
export const REBALANCING = ["REBALANCE_IN_PROGRESS"];
export const NOT_CURRENT = [...ENDED, ...OUTDATED, "STALE_MEMBER_EPOCH"];
const UNKNOWN_PARTITION = "UNKNOWN_TOPIC_OR_PARTITION";
export const LONG_METADATA = "OFFSET_METADATA_TOO_LARGE";

/** Errors that Kafka repeats until an operator changes rights or limits, or until the group's other members leave. */
const REFUSED = [
  "INVALID_SESSION_TIMEOUT",
  "INCONSISTENT_GROUP_PROTOCOL",
  "INVALID_GROUP_ID",
  "GROUP_MAX_SIZE_REACHED",
  "GROUP_AUTHORIZATION_FAILED",
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "UNSUPPORTED_VERSION",
];

const failureOf = (error: unknown): GatewayError => {
  if (error instanceof GatewayError) return error;
  const names = refusalsOf(error);
  const refusal = names.find((name) => REFUSED.includes(name));
  if (refusal !== undefined) return new GatewayError("GROUP_REFUSED", { cause: refusal });
  if (names.includes(UNKNOWN_PARTITION))
    return new GatewayError("PARTITION_UNKNOWN", { cause: UNKNOWN_PARTITION });
  return new GatewayError("BROKER_UNAVAILABLE", { cause: names[0] ?? error });
};

/** The answer that stands for one of these Kafka errors. Any other error is thrown as a GatewayError. */
export const answering =
  <T>(answers: readonly (readonly [names: readonly string[], answer: T])[]) =>
  (error: unknown): T => {
    const names = refusalsOf(error);
    for (const [expected, answer] of answers)
      if (names.some((name) => expected.includes(name))) return answer;
    throw failureOf(error);
  };

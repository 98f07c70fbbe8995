/** The last step before a record is sent: its transform runs in the sandbox, and its partition waits for the result. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { pause, systemClock } from "../../lib/clock.ts";
import type { Prepared, PreparedRecord, Preparation } from "../engine/delivery-plan.ts";
import { eventOf } from "../expressions/event.ts";
import type { Sandbox, Transformed } from "../expressions/transform/sandbox.ts";
import type { TransformModel } from "./config-reader.ts";

const CONTENT_TYPE = "application/json";

/** The promise is fulfilled when the expression has run. While the expression pauses, the connector waits. */
const untilTransformed = async (
  sandbox: Sandbox,
  expression: string,
  record: PreparedRecord,
): Promise<Exclude<Transformed, { readonly status: "paused" }>> => {
  for (;;) {
    const end = await sandbox.run(expression, eventOf(record), record.value);
    if (end.status !== "paused") return end;
    await pause(systemClock, end.ms);
  }
};

/**
 * `first`: the steps before the transform. A result is kept until it is sent, and a retry transforms its record again, because a
 * result can be much larger than the stored value.
 */
export const transformingStep = (
  first: Preparation,
  { expression, failure }: TransformModel,
  sandbox: Sandbox,
): Preparation => {
  const results = new WeakMap<ConsumedRecord, Prepared>();

  const transform = async (record: ConsumedRecord, before: PreparedRecord): Promise<void> => {
    const end = await untilTransformed(sandbox, expression, before);
    results.set(
      record,
      end.status === "done"
        ? { action: "send", record: { ...before, value: end.json, contentType: CONTENT_TYPE } }
        : { action: failure, reason: `the transform failed: ${end.reason}`, stage: "TRANSFORMATION" },
    );
  };

  return {
    ready: (record) => {
      if (results.has(record)) return undefined;
      const readiness = first.ready(record);
      if (readiness !== undefined) return readiness;
      const before = first.prepare(record);
      if (before.action === "send") return transform(record, before.record);
      results.set(record, before);
      return undefined;
    },
    prepare: (record) => {
      const result = results.get(record);
      if (result === undefined) throw new RangeError("The record is not ready");
      results.delete(record);
      return result;
    },
  };
};

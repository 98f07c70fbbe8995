/** `POST /topics/:topic` and `/topics/:topic/partitions/:partition`: the v2 API. */
import type { EventOutcome } from "../../../ingest/produce.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendText } from "../../respond.ts";
import { restProxyError } from "../../families.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { createTexts, type TextOf } from "../../results.ts";
import { partitionOf, stationOfTopic } from "./topic.ts";
import { embeddedFormatOf, findV2Records } from "./v2-records.ts";

export const V2_TYPE = "application/vnd.kafka.v2+json";

/** Errors are told in the answer's own type too. */
export const produceToTopic =
  (dependencies: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    const { request, facts } = call;
    const format = embeddedFormatOf(request.headers["content-type"]);
    const partition = partitionOf(call);
    const body = await dependencies.readBody(request);
    facts.bytes = body.length;
    const { intake, contentLimits, maxEvents, maxHeaders } = dependencies;
    const context = {
      ...{ format, partition, maxHeaders },
      limits: { ...contentLimits, maxEvents },
    };
    const found = intake.reading(call, body, () => findV2Records(body, context));
    intake.expect(call, { events: found.count, bytes: 0 });
    const events = await found.read();
    const station = await stationOfTopic(call, dependencies.stations);
    const outcomes = await intake.submit(call, station, events);
    const missing = partition === undefined ? undefined : outcomes.find(isPartitionUnknown);
    if (missing?.status === "failed") throw missing.error;
    sendText(call.response, 200, V2_TYPE, answer(outcomes));
  };

const isPartitionUnknown = (outcome: EventOutcome): boolean =>
  outcome.status === "failed" && outcome.error.code === "PARTITION_UNKNOWN";

const answer = (outcomes: readonly EventOutcome[]): string =>
  `{"offsets":[${outcomes.map(offsetWriter()).join(",")}],"key_schema_id":null,"value_schema_id":null}`;

/** By hand, in half the time that objects and JSON.stringify take. */
const offsetWriter = (): ((outcome: EventOutcome) => string) => {
  const texts = createTexts();
  return (outcome) => offset(outcome, texts);
};

const offset = (outcome: EventOutcome, texts: TextOf): string => {
  if (outcome.status === "stored") {
    const at = `"partition":${outcome.partition},"offset":${outcome.offset.toString()}`;
    return `{${at},"error_code":null,"error":null}`;
  }
  const { error_code: code, message } = restProxyError(outcome.error, texts(outcome.error));
  return `{"partition":null,"offset":null,"error_code":${code},"error":${JSON.stringify(message)}}`;
};

/** `POST /v3/clusters/:cluster/topics/:topic/records:batch`: a list of records, each with an id and its own outcome. */
import { z } from "zod";
import type { RecordHeader } from "../../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { parseJson } from "../../../formats/json.ts";
import type { EventList } from "../../../ingest/content/event-list.ts";
import type { ListFault } from "../../../lib/json-list.ts";
import { membersOf } from "../../../lib/json-scan.ts";
import { paced } from "../../../lib/event-loop.ts";
import { createTexts } from "../../results.ts";
import type { AuthorisedCall } from "../../call.ts";
import { OUR_WORDS } from "../../faults.ts";
import { callIdOf, keyHeaders, wholeBody } from "../../idempotency-key.ts";
import { sendText } from "../../respond.ts";
import { type RestProxyDependencies, stationOfTopic } from "./topic.ts";
import { hasManyHeaders, type Item, PARTS, readRecord, type RecordContext, recordShape } from "./record.ts";
import { faultIn, isUnknownField, JSON_TYPE, openEnvelope, requireJson } from "./body-shape.ts";
import { reporterOf } from "./report.ts";

const batchShape = z.strictObject({ entries: z.array(z.unknown()) });

const LONGEST_ID = 80;

/** Counts characters. A character outside the basic plane counts once, but has the length 2 in JavaScript. */
const isId = (text: string): boolean =>
  text !== "" && text.length <= 2 * LONGEST_ID && Array.from(text).length <= LONGEST_ID;

/** The id is checked before the record, because the report of a wrong record has the id too. */
const entryIdShape = z.looseObject({
  id: z.string().refine(isId, `must have 1 to ${LONGEST_ID} characters`),
});

const entryShape = recordShape.extend({ id: z.string() });

const MULTI_STATUS = 207;

export const produceBatch =
  (dependencies: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    requireJson(call);
    const headers = keyHeaders(call);
    const body = await dependencies.readBody(call.request);
    call.facts.bytes = body.length;
    const { intake, callWindow: windowMs } = dependencies;
    const list = intake.reading(call, body, () => findEntries(body, dependencies));
    intake.expect(call, { events: list.count, bytes: 0 });
    const entries = await intake.reading(call, body, () => readEntries(list, dependencies));
    const station = await stationOfTopic(call, dependencies.stations);
    const callId = callIdOf(call, { station, payload: wholeBody(call, body), windowMs });
    const events = entries.map(({ event }) => withHeaders(event, headers));
    const outcomes = await intake.submit(call, station, events, { callId });

    const reporter = reporterOf(call, createTexts());
    const reports = { successes: [] as string[], failures: [] as string[] };
    for (const [i, outcome] of outcomes.entries()) {
      const entry = entries[i];
      const list = outcome.status === "failed" ? reports.failures : reports.successes;
      if (entry !== undefined) list.push(reporter.report(entry, outcome, entry.id));
    }
    const text = `{"successes":[${reports.successes.join(",")}],"failures":[${reports.failures.join(",")}]}`;
    sendText(call.response, MULTI_STATUS, JSON_TYPE, text);
  };

const withHeaders = (event: Item["event"], headers: readonly RecordHeader[]): Item["event"] =>
  headers.length === 0 || event instanceof GatewayError
    ? event
    : { ...event, headers: [...event.headers, ...headers] };

interface Entry extends Item {
  readonly id: string;
}

const invalid = (message: string): GatewayError => new GatewayError("BATCH_INVALID", { message });

/**
 * Finds and counts the entries. Throws JSON_INVALID, JSON_TOO_DEEP, REQUEST_INVALID if the body is not an object, and
 * BATCH_INVALID if the batch as a whole is wrong.
 */
const findEntries = (body: Buffer, { contentLimits, maxEntries }: RestProxyDependencies): EventList => {
  const refuse = ({ fault, index }: ListFault): GatewayError =>
    invalid(
      fault === "too many"
        ? `entries must have at most ${maxEntries} entries; send the others in another batch`
        : `entries.${index} must be an object`,
    );
  const limits = { ...contentLimits, maxEvents: maxEntries };
  const { outside, list } = openEnvelope(body, { name: "entries", refuse, ...limits });
  if (typeof outside !== "object" || outside === null || Array.isArray(outside))
    throw new GatewayError("REQUEST_INVALID", { message: "The body must be an object with entries" });
  const batch = batchShape.safeParse(outside, OUR_WORDS);
  if (!batch.success) throw invalid(faultIn(batch.error));
  if (list === undefined || list.count === 0) throw invalid("entries must have at least one entry");
  return list;
};

/** Rejects with BATCH_INVALID at the first entry that makes the whole batch wrong. */
const readEntries = async (list: EventList, context: RestProxyDependencies): Promise<readonly Entry[]> => {
  const entries: Entry[] = [];
  const ids = new Set<string>();
  await paced(list.count, (i) => {
    const entry = readEntry(list.at(i), i, context);
    if (ids.has(entry.id))
      throw invalid(`entries.${i}.id must be unique in the batch (got ${JSON.stringify(entry.id)} twice)`);
    ids.add(entry.id);
    entries.push(entry);
  });
  return entries;
};

/** An unknown field refuses the whole batch, as in Confluent's REST Proxy. Any other fault refuses this entry only. */
const readEntry = (bytes: Buffer, index: number, context: RecordContext): Entry => {
  const withId = entryIdShape.safeParse(parseJson(bytes, context.contentLimits), OUR_WORDS);
  if (!withId.success) throw invalid(faultIn(withId.error, ["entries", index]));
  const { id } = withId.data;
  try {
    if (hasManyHeaders(withId.data, context)) throw new GatewayError("RECORD_HEADERS_TOO_MANY");
    const entry = entryShape.safeParse(withId.data, OUR_WORDS);
    if (entry.success)
      return { id, ...readRecord(entry.data, { bytes, spans: membersOf(bytes, 0, PARTS).spans }, context) };
    if (isUnknownField(entry.error)) throw invalid(faultIn(entry.error));
    return unread(id, new GatewayError("REQUEST_INVALID", { message: faultIn(entry.error) }));
  } catch (error) {
    if (error instanceof GatewayError && error.code === "BATCH_INVALID") throw error;
    return unread(id, asGatewayError(error));
  }
};

const unread = (id: string, event: GatewayError): Entry => ({ id, event, key: undefined, value: undefined });

/** `POST /v3/clusters/:cluster/topics/:topic/records:batch`: named records, each with its outcome. */
import { z } from "zod";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import { memberOf, membersOfEach } from "../../../lib/json-members.ts";
import { skipSpace } from "../../../lib/json-scan.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendText } from "../../respond.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { eventOf, recordContext, type Item } from "./item.ts";
import { PARTS, readRecord, recordShape, type RecordContext, type RecordSource } from "./record.ts";
import { reporterOf } from "./report.ts";
import { faultOf, isUnknownField, JSON_TYPE, requireJson } from "./shape.ts";
import { stationOfTopic } from "./topic.ts";

/** What names an entry, before its record is looked at. */
const batchShape = z.strictObject({
  entries: z.array(z.looseObject({ id: z.string().min(1).max(80) })).min(1),
});

const entryShape = recordShape.extend({ id: z.string() });

const MULTI_STATUS = 207;

export const produceBatch =
  (dependencies: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    requireJson(call);
    const body = await dependencies.readBody(call.request);
    call.facts.bytes = body.length;
    const entries = readEntries(body, call, dependencies);
    const station = await stationOfTopic(call, dependencies.stations);
    const outcomes = await dependencies.intake.submit(call, station, entries.map(eventOf));

    const reporter = reporterOf(call);
    const reports = { stored: [] as string[], failed: [] as string[] };
    for (const [i, outcome] of outcomes.entries()) {
      const entry = entries[i];
      if (entry !== undefined) reports[outcome.status].push(reporter.report(entry, outcome, entry.id));
    }
    const text = `{"successes":[${reports.stored.join(",")}],"failures":[${reports.failed.join(",")}]}`;
    sendText(call.response, MULTI_STATUS, JSON_TYPE, text);
  };

interface Entry extends Item {
  readonly id: string;
}

const invalid = (message: string): GatewayError => new GatewayError("BATCH_INVALID", { message });

/** Throws JSON_INVALID, JSON_TOO_DEEP, and BATCH_INVALID where the batch as a whole isn't one. */
const readEntries = (
  body: Buffer,
  call: AuthorisedCall,
  dependencies: RestProxyDependencies,
): readonly Entry[] => {
  const { contentLimits, maxEntries } = dependencies;
  const batch = batchShape.safeParse(parseJson(body, contentLimits));
  if (!batch.success) throw invalid(faultOf(batch.error));
  const { entries } = batch.data;
  if (entries.length > maxEntries) throw invalid(`entries: more than ${maxEntries}`);
  if (new Set(entries.map(({ id }) => id)).size < entries.length) throw invalid("entries: an id comes twice");
  const context = recordContext(call, dependencies);
  const sources = membersOfEach(body, memberOf(body, skipSpace(body, 0), "entries"), PARTS);
  return entries.map((entry, i) =>
    readEntry(entry, { bytes: body, spans: sources[i]?.spans ?? [] }, context),
  );
};

/** An unknown field refuses the whole batch, as in the original; any other fault is the entry's own. */
const readEntry = (given: { readonly id: string }, source: RecordSource, context: RecordContext): Entry => {
  const { id } = given;
  const entry = entryShape.safeParse(given);
  if (!entry.success) {
    if (isUnknownField(entry.error)) throw invalid(faultOf(entry.error));
    return unread(id, new GatewayError("REQUEST_INVALID", { message: faultOf(entry.error) }));
  }
  try {
    return { id, ...readRecord(entry.data, source, context) };
  } catch (error) {
    return unread(id, asGatewayError(error));
  }
};

const unread = (id: string, event: GatewayError): Entry => ({ id, event, key: undefined, value: undefined });

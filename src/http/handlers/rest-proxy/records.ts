/**
 * `POST /v3/clusters/:cluster/topics/:topic/records`: one or more records, one JSON object each. A body with a length is
 * answered as a whole; a chunked body is a stream that is answered record by record.
 */
import type { Principal } from "../../../auth/principal.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import type { EventOutcome } from "../../../ingest/produce.ts";
import { createJsonCutter, type Cut } from "../../../ingest/stream/cutters.ts";
import type { StreamProtocol } from "../../../ingest/stream/stream-protocol.ts";
import { paced } from "../../../lib/event-loop.ts";
import type { AuthorisedCall } from "../../call.ts";
import { restProxyError } from "../../families.ts";
import type { Events } from "../../intake.ts";
import { sendText } from "../../respond.ts";
import { createTexts } from "../../results.ts";
import { answerStream, requirePlainStream } from "../../stream-answer.ts";
import { queryOf } from "../../url.ts";
import { eventOf, type Item, itemReader, type ReadItem } from "./record.ts";
import { reporterOf } from "./report.ts";
import { JSON_TYPE, requireJson } from "./body-shape.ts";
import { requireTopic, type RestProxyDependencies, stationOfTopic } from "./topic.ts";

/** Space for a value in base64 or with escapes, and for the key, the headers and the field names beside it. */
const maxTextBytes = (maxEventBytes: number): number => 2 * maxEventBytes + 128 * 1024;

/** A record that is too large ends the stream, because the rest of the record can be endless. */
const endingAtTooLarge = (item: Item | GatewayError): Item | GatewayError => {
  if (item instanceof GatewayError || !(item.event instanceof GatewayError)) return item;
  return item.event.code === "RECORD_TOO_LARGE" ? item.event : item;
};

/** An error of the topic becomes the failure of each record, because the status is sent before the first record arrives. */
const streamRecords = async (call: AuthorisedCall, dependencies: RestProxyDependencies): Promise<void> => {
  const { intake, stations, streams } = dependencies;
  requirePlainStream(call);
  const reporter = reporterOf(call);
  const store = intake.openStream(call);
  const read = itemReader(dependencies);
  const protocol: StreamProtocol<Item> = {
    cutter: createJsonCutter({ maxBytes: maxTextBytes(intake.maxEventBytes) }),
    ordered: true,
    read: (text) => {
      const item = endingAtTooLarge(read(text));
      if (item instanceof GatewayError || item.event instanceof GatewayError)
        intake.unreadable(call, text.length);
      return item;
    },
    store: async (items) => store(await stationOfTopic(call, stations), items.map(eventOf)),
    report: (item, outcome) => reporter.report(item, outcome),
    ended: (error) => {
      call.failure = error;
      return JSON.stringify(restProxyError(error));
    },
  };
  const require = (principal: Principal): void => {
    requireTopic({ ...call, principal }, stations);
  };
  await answerStream(call, { contentType: JSON_TYPE, protocol, require }, streams);
};

export const produceRecords =
  (dependencies: RestProxyDependencies) =>
  (call: AuthorisedCall): Promise<void> => {
    requireJson(call);
    const isStream = call.request.headers["transfer-encoding"] !== undefined;
    return isStream ? streamRecords(call, dependencies) : answerBody(call, dependencies);
  };

/** The status of a single record is the status of the answer. Several records get one report each. */
const answerBody = async (call: AuthorisedCall, dependencies: RestProxyDependencies): Promise<void> => {
  const { request, response } = call;
  const body = await dependencies.readBody(request);
  call.facts.bytes = body.length;
  const always200 = dependencies.alwaysStatus200 || queryOf(request).get("http_status") === "always200";
  try {
    const reports = await reportsOn(body, call, dependencies);
    sendText(response, 200, JSON_TYPE, reports.join("\n"));
  } catch (thrown) {
    if (!always200) throw thrown;
    const error = asGatewayError(thrown);
    call.failure = error;
    sendText(response, 200, JSON_TYPE, JSON.stringify(restProxyError(error)));
  }
};

/**
 * Rejects with BODY_EMPTY, and with RATE_LIMITED or EVENTS_TOO_MANY for all records together. If the body has only one record,
 * rejects with the failure of this record.
 */
const reportsOn = async (
  body: Buffer,
  call: AuthorisedCall,
  dependencies: RestProxyDependencies,
): Promise<readonly string[]> => {
  const { intake } = dependencies;
  const found = intake.reading(call, body, () => textsOf(body, dependencies));
  intake.expect(call, { events: found.texts.length, bytes: 0 });
  const { items, fault = found.fault } = await itemsOf(found.texts, itemReader(dependencies));
  if (items.length === 0) intake.unreadable(call, body.length);
  if (items.length === 0) throw fault ?? new GatewayError("BODY_EMPTY");
  const outcomes = await submit(call, items.map(eventOf), dependencies);
  const [first] = outcomes;
  if (items.length === 1 && fault === undefined && first?.status === "failed") throw first.error;
  const reporter = reporterOf(call, createTexts());
  const reports = outcomes.map((outcome, i) => reporter.report(items[i] ?? NOTHING, outcome));
  return fault === undefined ? reports : [...reports, JSON.stringify(restProxyError(fault))];
};

const NOTHING = { key: undefined, value: undefined };

interface Items {
  readonly items: readonly Item[];
  /** The error for the text after the items, if that text can't be read. */
  readonly fault: GatewayError | undefined;
}

/** Cuts the body into the texts of its records. Throws EVENTS_TOO_MANY, BODY_EMPTY, and the error of the first text. */
const textsOf = (body: Buffer, { maxEvents }: RestProxyDependencies): Cut => {
  const cutter = createJsonCutter({ maxBytes: Infinity, maxTexts: maxEvents });
  const cut = cutter.push(body);
  if (cut.fault?.code === "EVENTS_TOO_MANY") throw cut.fault;
  const last = cut.fault === undefined ? cutter.end() : { texts: [], fault: cut.fault };
  const texts = [...cut.texts, ...last.texts];
  if (texts.length === 0) throw last.fault ?? new GatewayError("BODY_EMPTY");
  return { texts, fault: last.fault };
};

/** Stops at the first text that is not JSON. */
const itemsOf = async (texts: readonly Buffer[], read: ReadItem): Promise<Items> => {
  const items: Item[] = [];
  let fault: GatewayError | undefined;
  await paced(texts.length, (i) => {
    const item: Item | GatewayError = fault ?? read(texts[i] ?? NO_TEXT);
    if (item instanceof GatewayError) fault = item;
    else items.push(item);
  });
  return { items, fault };
};

const NO_TEXT = Buffer.alloc(0);

/** An error of the topic becomes the failure of each record. */
const submit = async (
  call: AuthorisedCall,
  events: Events,
  { intake, stations }: RestProxyDependencies,
): Promise<readonly EventOutcome[]> => {
  try {
    return await intake.submit(call, await stationOfTopic(call, stations), events);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === "RATE_LIMITED" || error.code === "EVENTS_TOO_MANY") throw error;
    return events.map(() => ({ status: "failed", error }));
  }
};

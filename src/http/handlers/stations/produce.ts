/**
 * `produce/single` and `produce/batch`. A call may carry an `Idempotency-Key`: a repeat of it gets the first answer
 * again.
 */
import type { RecordHeader } from "../../../broker/broker.ts";
import { ERRORS, GatewayError } from "../../../errors.ts";
import type { EventFailure, EventOutcome } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import type { Station } from "../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { Events } from "../../intake.ts";
import { sendJson, sendText } from "../../respond.ts";
import { createTexts, eventResult } from "../../results.ts";
import {
  notePreference,
  refuseReservedHeaders,
  stationOf,
  type StationRouteDependencies,
  toProduce,
} from "./station-of.ts";
import { batchFinder, singleReader } from "./events.ts";

const LONGEST_KEY = 255;

/** The request's record headers; its key among them, so that consumers can drop what two processes both took. */
const headersWithKey = (call: AuthorisedCall): readonly RecordHeader[] => {
  const headers = recordHeadersOf(call.request.rawHeaders);
  const key = keyOf(call);
  if (key === undefined) return headers;
  return [...headers, { name: "x-idempotency-key", value: Buffer.from(key, "latin1") }];
};

/** Throws REQUEST_INVALID. */
const keyOf = ({ request }: AuthorisedCall): string | undefined => {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && key !== "" && key.length <= LONGEST_KEY) return key;
  throw new GatewayError("REQUEST_INVALID", {
    message: `Idempotency-Key must have 1 to ${LONGEST_KEY} characters`,
  });
};

interface Submission {
  readonly station: Station;
  readonly body: Buffer;
  readonly events: Events;
}

/** As `Intake.submit`. */
const submitOnce = (
  call: AuthorisedCall,
  { station, body, events }: Submission,
  { intake, idempotency }: Pick<StationRouteDependencies, "intake" | "idempotency">,
): Promise<readonly EventOutcome[]> => {
  const key = keyOf(call);
  if (key === undefined) return intake.submit(call, station, events);
  const { request, route = "", principal } = call;
  const { kind, name } = principal;
  const contentType = request.headers["content-type"] ?? "";
  const scope = { key, principal: `${kind} ${name}`, route, station: station.name, contentType };
  return idempotency.once({ ...scope, body, events: events.length }, () =>
    intake.submit(call, station, events),
  );
};

/** `POST /stations/:name/produce/single`: the whole body is one event. */

type ProduceDependencies = Omit<StationRouteDependencies, "consumers">;

/** What most requests get, written once. */
const STORED = JSON.stringify({ error: null, success: true });

export const produceSingle = (dependencies: ProduceDependencies) => {
  const { stations, intake, readBody, contentLimits: limits } = dependencies;
  const lookup = toProduce(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, response, facts } = call;
    notePreference(call);
    refuseReservedHeaders(call);
    const station = await stationOf(call, lookup);
    const contentType = request.headers["content-type"];
    const readEvent = singleReader({ contentType, headers: headersWithKey(call), limits });

    const body = await readBody(request);
    facts.bytes = body.length;
    const events = [intake.reading(call, body, () => readEvent(body, station))];
    const outcomes = await submitOnce(call, { station, body, events }, dependencies);
    const [outcome] = outcomes;
    if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("INTERNAL");
    if (!call.representation) sendText(response, 200, "application/json", STORED);
    else
      sendJson(response, 200, {
        error: null,
        success: true,
        sent: 1,
        fail: 0,
        results: [eventResult(outcome)],
      });
  };
};

/** `POST /stations/:name/produce/batch`: a JSON array, each element one event. */

export const produceBatch = (dependencies: ProduceDependencies) => {
  const { stations, intake, readBody, contentLimits, maxEvents } = dependencies;
  const limits = { ...contentLimits, maxEvents };
  const lookup = toProduce(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, facts } = call;
    refuseReservedHeaders(call);
    const station = await stationOf(call, lookup);
    const contentType = request.headers["content-type"];
    const findBatch = batchFinder({ contentType, headers: headersWithKey(call), limits });

    const body = await readBody(request);
    facts.bytes = body.length;
    const batch = intake.reading(call, body, () => findBatch(body));
    intake.expect(call, batch.amount);
    const events = await intake.reading(call, body, () => batch.read());
    const outcomes = await submitOnce(call, { station, body, events }, dependencies);
    notePreference(call);
    answerBatch(call, outcomes);
  };
};

/** The answer to several events at once. */
export const answerBatch = (call: AuthorisedCall, outcomes: readonly EventOutcome[]): void => {
  const { response, representation } = call;
  const failures = outcomes.filter((outcome) => outcome.status === "failed");
  const sent = outcomes.length - failures.length;
  const fail = failures.length;
  const resultTexts = createTexts();
  const results = representation
    ? { results: outcomes.map((outcome) => eventResult(outcome, resultTexts)) }
    : undefined;

  if (failures.length === 0) {
    sendJson(response, 200, { error: null, success: true, ...(results && { sent, fail, ...results }) });
    return;
  }
  const gone = failures.find(({ error }) => error.code === "STATION_UNKNOWN");
  if (gone !== undefined && sent === 0) throw gone.error;
  const texts = createTexts();
  const errors = failures.map(({ error }) => texts(error));
  sendJson(response, statusOf(call, failures), { errors, fail, sent, success: false, ...results });
};

/** 400 while every failure is the events' own fault; else 503, for the client to come again. */
const statusOf = ({ response }: AuthorisedCall, failures: readonly EventFailure[]): number => {
  const passing = failures.filter(({ error }) => error.outcome !== "refused");
  if (passing.length === 0) return ERRORS.REQUEST_UNSUPPORTED.status;
  const seconds = Math.max(...passing.slice(0, 1).map(({ error }) => error.retryAfter ?? 1));
  response.setHeader("Retry-After", Math.ceil(seconds));
  return ERRORS.BROKER_UNAVAILABLE.status;
};

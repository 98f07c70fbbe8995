/**
 * `POST /stations/:name/produce/single`: the whole body is one event. `produce/batch`: each element of a JSON array is one
 * event. A repeated request with the same `Idempotency-Key` stores no event again.
 */
import type { RecordHeader } from "../../../broker/broker.ts";
import { ERRORS } from "../../../errors.ts";
import { acceptedEvent, type EventFailure, type EventOutcome } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import type { AuthorisedCall } from "../../call.ts";
import { callIdOf, keyHeaders, wholeBody } from "../../idempotency-key.ts";
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

type ProduceDependencies = Omit<StationRouteDependencies, "reading">;

/** The answer to most requests, serialized once. */
const STORED = JSON.stringify({ error: null, success: true });

export const produceSingle = (dependencies: ProduceDependencies) => {
  const { stations, intake, readBody, contentLimits: limits, callWindow: windowMs } = dependencies;
  const lookup = toProduce(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, response, facts } = call;
    notePreference(call);
    refuseReservedHeaders(call);
    const found = stationOf(call, lookup);
    const station = found instanceof Promise ? await found : found;
    const contentType = request.headers["content-type"];
    const readEvent = singleReader({ contentType, headers: headersWithKey(call), limits });

    const body = await readBody(request);
    facts.bytes = body.length;
    const events = [intake.reading(call, body, () => readEvent(body, station))];
    const callId = callIdOf(call, { station, payload: wholeBody(call, body), windowMs });
    const accepted = acceptedEvent(await intake.submit(call, station, events, { callId }));
    if (!call.representation) sendText(response, 200, "application/json", STORED);
    else
      sendJson(response, 200, {
        error: null,
        success: true,
        sent: 1,
        fail: 0,
        results: [eventResult(accepted)],
      });
  };
};

export const produceBatch = (dependencies: ProduceDependencies) => {
  const { stations, intake, readBody, contentLimits, maxEvents, callWindow: windowMs } = dependencies;
  const limits = { ...contentLimits, maxEvents };
  const lookup = toProduce(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, facts } = call;
    refuseReservedHeaders(call);
    const station = await stationOf(call, lookup);
    const contentType = request.headers["content-type"];
    const findBatch = batchFinder({ contentType, headers: headersWithKey(call), limits }, station);

    const body = await readBody(request);
    facts.bytes = body.length;
    const batch = intake.reading(call, body, () => findBatch(body));
    intake.expect(call, batch.amount);
    const events = await intake.reading(call, body, () => batch.read());
    const callId = callIdOf(call, { station, payload: wholeBody(call, body), windowMs });
    const outcomes = await intake.submit(call, station, events, { callId });
    notePreference(call);
    answerBatch(call, outcomes);
  };
};

/** Answers a batch with the outcomes of its events. */
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
  const unknown = failures.find(({ error }) => error.code === "STATION_UNKNOWN");
  if (unknown !== undefined && sent === 0) throw unknown.error;
  const texts = createTexts();
  const errors = failures.map(({ error }) => texts(error));
  sendJson(response, statusOf(call, failures), { errors, fail, sent, success: false, ...results });
};

/** 400 if the gateway refused all failed events; otherwise 503 with Retry-After. */
const statusOf = ({ response }: AuthorisedCall, failures: readonly EventFailure[]): number => {
  const temporary = failures.find(({ error }) => error.outcome !== "refused");
  if (temporary === undefined) return ERRORS.REQUEST_UNSUPPORTED.status;
  response.setHeader("Retry-After", Math.ceil(temporary.error.retryAfter ?? 1));
  return ERRORS.BROKER_UNAVAILABLE.status;
};

/** The record headers of the request, and the `Idempotency-Key`. */
const headersWithKey = (call: AuthorisedCall): readonly RecordHeader[] => {
  const headers = recordHeadersOf(call.request.rawHeaders);
  const ofKey = keyHeaders(call);
  return ofKey.length === 0 ? headers : [...headers, ...ofKey];
};

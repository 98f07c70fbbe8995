/** `POST /stations/:name/produce/batch`: a JSON array, each element one event. */
import { ERRORS } from "../../../errors.ts";
import type { EventFailure, EventOutcome } from "../../../ingest/produce.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendJson } from "../../respond.ts";
import { createTexts, eventResult } from "../../results.ts";
import type { StationRouteDependencies } from "./dependencies.ts";
import { batchFinder } from "./events.ts";
import { notePreference, refuseReservedHeaders, stationOf, toProduce } from "./station-of.ts";
import { headersWithKey, submitOnce } from "./submit-once.ts";

type Dependencies = Omit<StationRouteDependencies, "consumers">;

export const produceBatch = (dependencies: Dependencies) => {
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
    const events = await batch.read();
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

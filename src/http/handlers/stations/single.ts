/** `POST /stations/:name/produce/single`: the whole body is one event. */
import { GatewayError } from "../../../errors.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendJson, sendText } from "../../respond.ts";
import { eventResult } from "../../results.ts";
import type { StationRouteDependencies } from "./dependencies.ts";
import { singleReader } from "./events.ts";
import { notePreference, refuseReservedHeaders, stationOf, toProduce } from "./station-of.ts";
import { headersWithKey, submitOnce } from "./submit-once.ts";

type Dependencies = Omit<StationRouteDependencies, "consumers">;

/** What most requests get, written once. */
const STORED = JSON.stringify({ error: null, success: true });

export const produceSingle = (dependencies: Dependencies) => {
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

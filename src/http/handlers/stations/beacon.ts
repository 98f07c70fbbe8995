/** `POST /stations/:name/produce/beacon`: a batch from a web page, with the credential in the body. */
import type { Authenticate } from "../../../auth/authenticator.ts";
import type { RecordHeader } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import { type Beacon, type BeaconEvent, openBeacon } from "../../../ingest/beacon-body.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import type { IncomingEvent } from "../../../ingest/incoming-event.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import type { AuthorisedCall, Call } from "../../call.ts";
import { produceBeacon } from "./documentation.ts";
import { callIdOf, keyHeaders } from "../../idempotency-key.ts";
import type { CountCall } from "../../intake.ts";
import { authorised, credentialsOf, identify } from "../../middleware/guard.ts";
import type { OpenRoute } from "../../routes.ts";
import { answerBatch } from "./produce.ts";
import {
  notePreference,
  refuseReservedHeaders,
  stationOf,
  type StationRouteDependencies,
  toProduce,
} from "./station-of.ts";

export interface BeaconRouteDependencies extends Pick<
  StationRouteDependencies,
  "stations" | "intake" | "readBody" | "contentLimits" | "maxEvents" | "callWindow"
> {
  readonly countCall: CountCall;
  readonly authenticate: Authenticate;
}

/** A page can send `text/plain` without a preflight request; other clients send JSON. */
const CONTENT_TYPES: readonly string[] = ["text/plain", "application/json"];

const ID_HEADER = "x-event-id";

/**
 * The credential is in the body, which the guard does not read. So the route authenticates the caller itself, before it
 * reads the events.
 */
export const beaconRoute = (dependencies: BeaconRouteDependencies): OpenRoute => {
  const { stations, intake, readBody, contentLimits, maxEvents, countCall, authenticate } = dependencies;
  const { callWindow: windowMs } = dependencies;
  const limits = { ...contentLimits, maxEvents };
  const lookup = toProduce(stations);

  const admit = async (call: Call, { token, apiKey }: Beacon): Promise<AuthorisedCall> => {
    const ofBody = { queryToken: token, apiKeyHeader: apiKey, address: call.request.ip ?? "" };
    const credentials = token === undefined && apiKey === undefined ? credentialsOf(call.request) : ofBody;
    const caller = authorised(call, await identify(call, { authenticate, countCall }, credentials));
    countCall(caller);
    return caller;
  };

  return {
    method: "POST",
    path: "/stations/:name/produce/beacon",
    auth: "none",
    family: "stations",
    documentation: produceBeacon,
    handler: async (call) => {
      const { request, facts } = call;
      if (!CONTENT_TYPES.includes(mediaTypeOf(request.headers["content-type"] ?? "")))
        throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
      const headers = [...recordHeadersOf(request.rawHeaders), ...keyHeaders(call)];
      const body = await readBody(request);
      facts.bytes = body.length;
      const beacon = openBeacon(body, limits);
      const caller = await admit(call, beacon);
      refuseReservedHeaders(caller);
      const station = await stationOf(caller, lookup);
      const found = intake.reading(caller, body, () => beacon.findEvents());
      intake.expect(caller, { events: found.count, bytes: 0 });
      const events = await intake.reading(caller, body, () => found.read());
      const callId = callIdOf(caller, { station, payload: payloadOf(events), windowMs });
      const outcomes = await intake.submit(caller, station, eventsOf(events, headers), {
        callId,
        isBeacon: true,
      });
      notePreference(caller, beacon.prefer);
      answerBatch(caller, outcomes);
    },
  };
};

/** Without the credential and the other members of the envelope: a repeat can have a newer token. */
function* payloadOf(events: readonly BeaconEvent[]): Generator<string | Buffer> {
  for (const { id, value } of events) yield* [id, value];
}

const eventsOf = (
  events: readonly BeaconEvent[],
  headers: readonly RecordHeader[],
): readonly IncomingEvent[] => {
  const others = headers.filter(({ name }) => name !== ID_HEADER);
  return events.map(({ id, value }) => ({
    value,
    contentType: "application/json",
    headers: [...others, { name: ID_HEADER, value: Buffer.from(id) }],
  }));
};

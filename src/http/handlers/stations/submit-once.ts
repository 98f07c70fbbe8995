/** A call that may carry an `Idempotency-Key`: a repeat of it gets the first answer again. */
import type { RecordHeader } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import type { EventOutcome } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import type { Station } from "../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { Events } from "../../intake.ts";
import type { StationRouteDependencies } from "./dependencies.ts";

const LONGEST_KEY = 255;

/** The request's record headers; its key among them, so that consumers can drop what two processes both took. */
export const headersWithKey = (call: AuthorisedCall): readonly RecordHeader[] => {
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

export interface Submission {
  readonly station: Station;
  readonly body: Buffer;
  readonly events: Events;
}

/** As `Intake.submit`. */
export const submitOnce = (
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

/** Webhook sources: verify a request, store its event once, and answer 202 after the event is stored. */
import { createHash } from "node:crypto";
import { type Limits, type Principal, webhookPrincipal } from "../../auth/principal.ts";
import { GatewayError } from "../../errors.ts";
import type { CallId } from "../event-ids.ts";
import type { Clock } from "../../lib/clock.ts";
import type { ContentLimits } from "../../formats/json.ts";
import { isNotAttribute, isStructured, structuredEvent } from "../cloudevents.ts";
import { type IncomingEvent, sizeOfEvent } from "../incoming-event.ts";
import { acceptedEvent, type EventOutcome, type Produce } from "../produce.ts";
import { recordHeadersOf } from "../record-headers.ts";
import type { Station, Stations } from "../stations.ts";
import { createVerifier, type SchemeSettings, type VerifiedWebhook, type Verifier } from "./verifier.ts";
import type { Refusal, WebhookAnswer, WebhookRequest } from "./webhook.ts";

/** A source as the settings declare it. */
export type WebhookDeclaration = SchemeSettings & {
  readonly source: string;
  readonly station: string;
  /** Milliseconds in which a repeated delivery is not stored again. */
  readonly duplicateWindow: number;
  /** `strict: false` stores a delivery without the check if its id can't be checked in time. */
  readonly once?: { readonly strict?: boolean | undefined } | undefined;
  /** Rate limits of its deliveries, including repeated deliveries. */
  readonly limits?: Limits;
};

/** Called for each verified delivery before it is stored. Throws RATE_LIMITED. */
export type Admit = (principal: Principal, bytes: number) => void;

export interface WebhookSource {
  readonly station: string;
  /**
   * Resolves with 202 if the delivery is stored now or was stored before, and with 200 for a handshake. Rejects with
   * UNAUTHORIZED, METHOD_NOT_ALLOWED or HANDSHAKE_REFUSED, with the error of `admit`, with BROKER_AMBIGUOUS at the sender's
   * deadline or while the id of the delivery is not resolved, and with the error of an event that is not stored.
   */
  receive(request: WebhookRequest, admit: Admit): Promise<WebhookAnswer>;
}

export interface Webhooks {
  /** Throws ROUTE_UNKNOWN for an unknown source. */
  find(source: string): WebhookSource;
}

export interface WebhooksOptions {
  readonly declared: readonly WebhookDeclaration[];
  readonly stations: Pick<Stations, "resolve">;
  readonly produce: Produce;
  readonly clock: Clock;
  readonly contentLimits: ContentLimits;
  /** Called for each request that is not verified. */
  readonly refused?: (source: string, reason: Refusal) => void;
}

const ACCEPTED: WebhookAnswer = { status: 202, headers: {}, body: "" };
/** The delivery is on the disk of this pod, and goes to Kafka later. */
const SPOOLED: WebhookAnswer = { ...ACCEPTED, headers: { "Stationgate-Stored": "spool" } };

/** Throws SETTINGS_INVALID for a source whose settings lack a value that its scheme needs. */
export const createWebhooks = (options: WebhooksOptions): Webhooks => {
  const { declared } = options;
  const sources = new Map(
    declared.map((declaration) => [declaration.source, createSource(declaration, options)]),
  );
  return {
    find: (name) => {
      const source = sources.get(name);
      if (source === undefined) throw new GatewayError("ROUTE_UNKNOWN");
      return source;
    },
  };
};

const createSource = (
  declaration: WebhookDeclaration,
  { stations, produce, clock, contentLimits, refused }: WebhooksOptions,
): WebhookSource => {
  const { source } = declaration;
  const verifier = verifierOf(declaration);
  const principal = webhookPrincipal(source, declaration.station, declaration.limits ?? {});

  const store = async (webhook: VerifiedWebhook, event: IncomingEvent): Promise<WebhookAnswer> => {
    const station = await stations.resolve(declaration.station);
    const events = [eventFor(station, event, contentLimits)];
    const callId = callIdOf(declaration, webhook);
    const { status } = acceptedDelivery(await produce({ principal, station, events, callId }));
    return status === "spooled" ? SPOOLED : ACCEPTED;
  };

  return {
    station: declaration.station,
    receive: async (request, admit) => {
      const verdict = verifier.verify(request, clock.now());
      if (verdict.status === "handshake") return verdict.answer;
      if (verdict.status === "refused") {
        refused?.(source, verdict.reason);
        throw new GatewayError("UNAUTHORIZED", { cause: `webhook ${verdict.reason}` });
      }
      const event = eventOf(source, verdict.webhook);
      admit(principal, sizeOfEvent(event));
      return inTime(store(verdict.webhook, event), verifier.deadline, clock);
    },
  };
};

/**
 * undefined: the delivery has no id, and is stored each time. The body is part of the id, because the vendor's id is rarely
 * signed: the same id with another body is another delivery.
 */
const callIdOf = (
  { source, duplicateWindow, once }: WebhookDeclaration,
  { deliveryId, body }: VerifiedWebhook,
): CallId | undefined =>
  deliveryId === undefined
    ? undefined
    : {
        scope: ["webhook", source, deliveryId, createHash("sha256").update(body).digest("hex")],
        windowMs: duplicateWindow,
        strict: once?.strict ?? true,
      };

/** As `acceptedEvent`. An unresolved id becomes a 503, because senders repeat a delivery after it, and not after a 409. */
const acceptedDelivery = (outcomes: readonly EventOutcome[]): ReturnType<typeof acceptedEvent> => {
  try {
    return acceptedEvent(outcomes);
  } catch (cause) {
    if (!(cause instanceof GatewayError) || cause.code !== "ID_UNRESOLVED") throw cause;
    throw new GatewayError("BROKER_AMBIGUOUS", { cause });
  }
};

/** Checks a source without creating it. Throws SETTINGS_INVALID as `createWebhooks` does. */
export const requireSource = (declaration: WebhookDeclaration): void => {
  verifierOf(declaration);
};

const verifierOf = (declaration: WebhookDeclaration): Verifier => {
  try {
    return createVerifier(declaration);
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    throw new GatewayError("SETTINGS_INVALID", {
      message: `webhook ${declaration.source}: ${cause.message}`,
      cause,
    });
  }
};

const SOURCE_HEADER = "x-webhook-source";
const ID_HEADER = "x-webhook-id";

/** Readers of the station recognise the source, and repeated deliveries, by the headers that are added here. */
const eventOf = (source: string, webhook: VerifiedWebhook): IncomingEvent => {
  const { body, contentType, rawHeaders, deliveryId } = webhook;
  const own = [{ name: SOURCE_HEADER, value: Buffer.from(source) }];
  if (deliveryId !== undefined) own.push({ name: ID_HEADER, value: Buffer.from(deliveryId) });
  return { value: body, contentType, headers: [...recordHeadersOf(rawHeaders), ...own] };
};

/** A registry station takes only the data of a structured CloudEvent. Other stations take every body as it is. */
const eventFor = (
  station: Station,
  event: IncomingEvent,
  limits: ContentLimits,
): IncomingEvent | GatewayError => {
  const { value, contentType, headers } = event;
  if (station.validator?.kind !== "registry" || value === null || contentType === undefined) return event;
  if (!isStructured(contentType)) return event;
  return structuredEvent(value, { limits, contentType, headers: headers.filter(isNotAttribute), station });
};

/**
 * Rejects at the sender's deadline, because the sender does not wait longer for an answer. The store continues; if it
 * succeeds, the sender's retry is recognised as repeated and gets 202.
 */
const inTime = <T>(stored: Promise<T>, deadline: number | undefined, clock: Clock): Promise<T> => {
  if (deadline === undefined) return stored;
  return new Promise((resolve, reject) => {
    const cancel = clock.after(deadline, () => {
      reject(new GatewayError("BROKER_AMBIGUOUS"));
    });
    stored.finally(cancel).then(resolve, reject);
  });
};

/**
 * The two kinds of endpoints of the event service. The business server gets each event in an envelope, with the configured
 * credential. A client gets its own events at the URL of each event's kind, signed with the SEP-10 signing seed.
 */
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { serviceToken } from "../../auth/tokens.ts";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { type JsonObject, jsonTextOf, type JsonTree } from "./json-tree.ts";
import type { DeliveryRequest, Endpoint, HttpResult } from "../engine/delivery-plan.ts";
import { hostAsWritten } from "../engine/http-client/redirects.ts";
import type { Failure } from "../engine/strategy.ts";
import { type BodyForm, type CallbackClient, callbackUrlOf, type IsFor } from "./callback-client.ts";
import type { BusinessEvent, ReadEvent } from "./event.ts";
import { type ClientNameOf, type MoreInfoOptions, moreInfoUrl } from "./more-info-url.ts";
import { type SepBody, sepBodyOf } from "./sep-bodies.ts";

/** The parts of a callback URL. */
interface CallbackTarget {
  readonly origin: string;
  readonly path: string;
  /** Host, and the port if the URL contains it. This is the text that is signed. */
  readonly host: string;
}

/** `url` is an absolute http or https URL. */
export const callbackTarget = (url: string): CallbackTarget => {
  const { origin, pathname, search } = new URL(url);
  return { origin, path: `${pathname}${search}`, host: hostAsWritten(url) ?? "" };
};

const callbackRequest = (
  { origin, path, host }: CallbackTarget,
  body: Buffer,
  headers: readonly string[],
): DeliveryRequest => ({
  origin,
  path,
  method: "POST",
  headers: ["Content-Type", "application/json; charset=utf-8", ...headers],
  body,
  followWithin: host,
});

/**
 * A redirect is a success, as in the Anchor Platform, except a 307 or 308 that can't be followed. Every failure is retried.
 */
const classifyCallback = (result: HttpResult): "done" | Failure =>
  !("error" in result) && result.status >= 200 && result.status < 400 ? "done" : "retry";

/** RFC 8410: an ed25519 key in PKCS #8 is this prefix and the 32 bytes of the seed. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** `seed`: the 32 bytes of the secret strkey. */
export const signingKey = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });

interface Signable {
  /** Seconds since the epoch. */
  readonly t: number;
  /** As written in the URL, with the port if the URL contains it. */
  readonly host: string;
  readonly body: Buffer;
}

/** The `Signature` header of the Stellar SEPs: `t=<seconds>, s=<base64>`, ed25519 over `<t>.<host>.<body>`. */
export const stellarSignature = (key: KeyObject, { t, host, body }: Signable): string => {
  const signature = sign(null, Buffer.concat([Buffer.from(`${t}.${host}.`), body]), key);
  return `t=${t}, s=${signature.toString("base64")}`;
};

/** Credential of the requests to the business server. */
export type CallbackAuth =
  | { readonly type: "none" }
  | { readonly type: "api_key"; readonly header: string; readonly secret: string }
  /** `ttl`: milliseconds for which a token is valid. Each attempt has its own token. */
  | { readonly type: "jwt"; readonly header: string; readonly secret: string; readonly ttl: number };

export interface BusinessServerOptions {
  readonly baseUrl: string;
  /** true: `/event` is appended to the path of `baseUrl`. false: it replaces the path. */
  readonly keepBasePath: boolean;
  readonly auth: CallbackAuth;
  readonly read: ReadEvent;
}

const targetOf = ({ baseUrl, keepBasePath }: BusinessServerOptions): CallbackTarget => {
  const { pathname, search } = new URL(baseUrl);
  const path = keepBasePath ? `${pathname.replace(/\/+$/, "")}/event${search}` : "/event";
  return { ...callbackTarget(baseUrl), path };
};

const credentials = (auth: CallbackAuth, now: number): readonly string[] => {
  if (auth.type === "none") return [];
  if (auth.type === "api_key") return [auth.header, auth.secret];
  return [auth.header, `Bearer ${serviceToken(auth.secret, now, auth.ttl)}`];
};

const envelopeOf = (event: BusinessEvent, now: number): Buffer => {
  const envelope = new Map<string, JsonTree>([
    ["id", event.id],
    ["timestamp", new Date(now).toISOString()],
    ["type", event.type],
    ["payload", new Map([[event.subject, subjectOf(event)]])],
  ]);
  return Buffer.from(jsonTextOf(envelope));
};

/** A customer callback has only the id. The business server requests the other data. */
const subjectOf = ({ subject, content }: BusinessEvent): JsonObject =>
  subject === "customer" ? new Map([...content].filter(([name]) => name === "id")) : content;

/** A record that is not a valid event is dead-lettered. */
export const createBusinessServer = (options: BusinessServerOptions): Endpoint => {
  const { auth, read } = options;
  const target = targetOf(options);
  return {
    admit: (record) => {
      const event = read(record);
      return "broken" in event ? { deadLetter: event.broken } : "deliver";
    },
    render: (record, now) => {
      const event = read(record);
      const body = "broken" in event ? Buffer.alloc(0) : envelopeOf(event, now);
      return callbackRequest(target, body, credentials(auth, now));
    },
    classify: classifyCallback,
  };
};

/** Options for the bodies of all clients. */
export interface ClientBodies {
  readonly form: BodyForm;
  /** Options by SEP number. undefined: the bodies of this SEP have no `more_info_url`. */
  readonly moreInfo: Readonly<Partial<Record<string, MoreInfoOptions>>>;
  readonly clientNameOf: ClientNameOf;
}

export interface ClientCallbackOptions {
  readonly client: CallbackClient;
  readonly key: KeyObject;
  readonly read: ReadEvent;
  readonly isFor: IsFor;
  readonly bodies: ClientBodies;
}

/** Members with personal data, which a client must not get. */
const PERSONAL = ["customers", "creator", "request_client_ip_address"];

const withoutPersonal = (content: JsonObject): JsonObject =>
  new Map([...content].filter(([name]) => !PERSONAL.includes(name)));

const transactionOf = (event: BusinessEvent, bodies: ClientBodies, now: number): SepBody => {
  const { content: transaction, sep = "" } = event;
  if (bodies.form === "platform") return withoutPersonal(transaction);
  const options = bodies.moreInfo[sep];
  const url = options && moreInfoUrl(options, { sep, transaction, now, clientNameOf: bodies.clientNameOf });
  return sepBodyOf(sep, transaction, url);
};

/** The body of a customer is the customer object itself. A transaction is in the member `transaction`. */
const bodyOf = (event: BusinessEvent, bodies: ClientBodies, now: number): Buffer => {
  if (event.subject === "customer") return Buffer.from(jsonTextOf(withoutPersonal(event.content)));
  const transaction = transactionOf(event, bodies, now);
  if (!isMapped(transaction)) throw new GatewayError("INTERNAL", { message: transaction.unmappable });
  return Buffer.from(jsonTextOf(new Map([["transaction", transaction]])));
};

const isMapped = (body: SepBody): body is JsonObject => body instanceof Map;

/** A record that is not a valid event is skipped. */
export const createClientCallback = (options: ClientCallbackOptions): Endpoint => {
  const { client, key, read, isFor, bodies } = options;
  // Whether a transaction can be mapped doesn't depend on `more_info_url`, so save the cost of signing its token.
  const unsigned = { ...bodies, moreInfo: {} };
  const targets = new Map<string, CallbackTarget>();
  for (const url of Object.values(client.callbackUrls)) {
    if (url !== undefined) targets.set(url, callbackTarget(url));
  }

  const callbackOf = (record: ConsumedRecord) => {
    const event = read(record);
    if ("broken" in event || (event.subject === "transaction" && !isFor(client, event))) return undefined;
    const target = targets.get(callbackUrlOf(client, event, bodies.form) ?? "");
    return target && { event, target };
  };

  return {
    concerns: (record) => callbackOf(record) !== undefined,
    admit: (record) => {
      const event = callbackOf(record)?.event;
      if (event?.subject !== "transaction") return "deliver";
      const body = transactionOf(event, unsigned, 0);
      return isMapped(body) ? "deliver" : { deadLetter: body.unmappable };
    },
    render: (record, now) => {
      const callback = callbackOf(record);
      if (callback === undefined)
        throw new GatewayError("INTERNAL", {
          message: `Client ${client.name} has no callback for this record`,
        });
      const { event, target } = callback;
      const body = bodyOf(event, bodies, now);
      const signature = stellarSignature(key, { t: Math.floor(now / 1000), host: target.host, body });
      return callbackRequest(target, body, ["Signature", signature]);
    },
    classify: classifyCallback,
  };
};

/** The endpoint of one client: the events that are for it, each at the URL of its kind, signed with our SEP-10 key. */
import type { KeyObject } from "node:crypto";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { jsonTextOf, type JsonObject } from "../../lib/json-tree.ts";
import { callbackUrlOf, type BodyForm, type CallbackClient, type IsFor } from "./callback-client.ts";
import type { BusinessEvent, ReadEvent } from "./event.ts";
import { moreInfoUrl, type ClientNameOf, type MoreInfoOptions } from "./more-info-url.ts";
import { sepBodyOf, type SepBody } from "./sep-bodies.ts";
import { callbackRequest, callbackTarget, classifyCallback, type CallbackTarget } from "./callback.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { stellarSignature } from "./stellar-signature.ts";

/** What all clients' bodies have in common. */
export interface ClientBodies {
  readonly form: BodyForm;
  /** By number of the SEP; undefined: the bodies of this SEP have no `more_info_url`. */
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

/** Of a platform's transaction: what it says of people, and is no client's business. */
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

/** A customer goes bare, a transaction under its name. */
const bodyOf = (event: BusinessEvent, bodies: ClientBodies, now: number): Buffer => {
  if (event.subject === "customer") return Buffer.from(jsonTextOf(withoutPersonal(event.content)));
  const transaction = transactionOf(event, bodies, now);
  if (!isMapped(transaction)) throw new GatewayError("INTERNAL", { message: transaction.unmappable });
  return Buffer.from(jsonTextOf(new Map([["transaction", transaction]])));
};

const isMapped = (body: SepBody): body is JsonObject => body instanceof Map;

/** A record that is no event concerns no client. */
export const createClientCallback = (options: ClientCallbackOptions): Endpoint => {
  const { client, key, read, isFor, bodies } = options;
  // Whether a transaction has a body doesn't depend on its URL, whose token would be signed for nothing.
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
        throw new GatewayError("INTERNAL", { message: "No callback of this client's" });
      const { event, target } = callback;
      const body = bodyOf(event, bodies, now);
      const signature = stellarSignature(key, { t: Math.floor(now / 1000), host: target.host, body });
      return callbackRequest(target, body, ["Signature", signature]);
    },
    classify: classifyCallback,
  };
};

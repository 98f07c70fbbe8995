/** The request to a webhook source, the interface of signature schemes, and helpers that all schemes use. */
import { createHash, timingSafeEqual } from "node:crypto";
import { followPointer, pointerOf, valueAt } from "../../lib/json-scan.ts";
import { isJson } from "../../formats/json.ts";

/** A request to a webhook source. It is not verified yet. */
export interface WebhookRequest {
  readonly method: string;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The headers as they were sent; names and values alternate. */
  readonly rawHeaders: readonly string[];
  /** The raw query, without the question mark. */
  readonly query: string;
  /** The raw bytes. */
  readonly body: Buffer;
}

/** The answer to the sender. It has a body only for a handshake, because some senders show it to their users. */
export interface WebhookAnswer {
  readonly status: 200 | 202;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The reason of a refusal. It is a label of the metric of refusals; the sender never gets it. */
export type Refusal = "credential-missing" | "credential-wrong" | "timestamp-missing" | "timestamp-outside";

/** The rules of one sender. Only `verifier.ts` makes a `VerifiedWebhook` of a request that a scheme accepts. */
export interface WebhookScheme {
  /** Verifies a POST. Compares in constant time. `now`: milliseconds since the epoch. undefined: the request is verified. */
  refusal(request: WebhookRequest, now: number): Refusal | undefined;
  /** The sender's id of this delivery. Often it is not signed, so it can only help to recognise repeated deliveries. */
  deliveryId(request: WebhookRequest): string | undefined;
  /** The answer to a verified POST that only tests the connection; undefined: the POST is an event. */
  readonly answerToPost?: (request: WebhookRequest) => WebhookAnswer | undefined;
  /** Answers to other methods. A handshake throws HANDSHAKE_REFUSED if its own proof is wrong. */
  readonly handshakes?: Readonly<Partial<Record<"GET" | "OPTIONS", Handshake>>>;
  /** Milliseconds to the answer: the sender's timeout minus a reserve for the network. Default: no deadline. */
  readonly deadline?: number;
}

export type Handshake = (request: WebhookRequest) => WebhookAnswer;

/** The settings of all schemes except `hmac`. */
export interface WebhookSettings {
  /** One secret, or two secrets during a rotation. Each of them verifies a request. */
  readonly secrets: readonly string[];
  /** Only for `twilio`: the complete public URL of the source, without a query. */
  readonly publicUrl?: string | undefined;
  /** Only for `meta`: the expected `hub.verify_token`. */
  readonly verifyToken?: string | undefined;
}

/** The value of a header; undefined if it is absent or empty. `name` is in lower case. */
export const header = (request: WebhookRequest, name: string): string | undefined => {
  const value = request.headers[name];
  const text = typeof value === "string" ? value : value?.join(", ");
  return text === "" ? undefined : text;
};

/** A 200 answer in plain text. A handshake repeats input of the request, so a browser must not show it as a page. */
export const textAnswer = (body: string): WebhookAnswer => ({
  status: 200,
  headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  body,
});

const sameBytes = (a: string, b: string): boolean => {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
};

/**
 * True if one of the offered signatures is one of the expected ones. It compares every pair, so that the time does not
 * reveal a match. Signatures are compared as text, so there is only one accepted spelling of the same bytes.
 */
export const offersOneOf = (offered: readonly string[], expected: readonly string[]): boolean => {
  let found = false;
  for (const given of offered) for (const wanted of expected) found = sameBytes(given, wanted) || found;
  return found;
};

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** True if the text is one of the secrets. It compares digests, so that the time does not reveal a secret's length. */
export const isOneOf = (offered: string, secrets: readonly string[]): boolean =>
  offersOneOf([digest(offered)], secrets.map(digest));

/** Maximum bytes of a field. No sender uses longer ids, times or challenges. */
const MAX_FIELD = 64 * 1024;

/** A JSON value that is not an object or array. */
const SIMPLE = /^[^[{]/;

/**
 * The string, number, boolean or null at this path in a JSON body; undefined if the body isn't JSON or has no such value.
 * No other part of the body is parsed, because the sender is not verified yet.
 */
export const bodyField = ({ body }: WebhookRequest, ...path: readonly string[]): unknown => {
  if (!isJson(body)) return undefined;
  const at = followPointer(pointerOf(path))(body);
  if (at < 0) return undefined;
  const value = valueAt(body, at);
  if (value.length > MAX_FIELD) return undefined;
  const text = value.toString();
  return SIMPLE.test(text) ? (JSON.parse(text) as unknown) : undefined;
};

/** As `bodyField`, for an id: a string that is not empty, or a number as a string. */
export const bodyId = (request: WebhookRequest, ...path: readonly string[]): string | undefined => {
  const value = bodyField(request, ...path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
};

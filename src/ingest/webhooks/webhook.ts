import { createHash, timingSafeEqual } from "node:crypto";
import { followPointer, valueAt } from "../../lib/json-scan.ts";
import { isJson } from "../content/json.ts";

/** The words of webhooks: a request as it came, what a scheme knows about it, and one that has proved its sender. */

/** A request to a webhook source, before anything in it is believed. */
export interface WebhookRequest {
  readonly method: string;
  /** Names in lower case, as node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The same as they were sent, names and values by turns. */
  readonly rawHeaders: readonly string[];
  /** The raw query, without its question mark. */
  readonly query: string;
  /** The bytes that were signed. */
  readonly body: Buffer;
}

/** What the sender is told. No body unless a handshake asks for one: some senders show it to people. */
export interface WebhookAnswer {
  readonly status: 200 | 202;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Why a request isn't believed; a label of the refusals' metric, never told to the sender. */
export type Refusal = "credential-missing" | "credential-wrong" | "timestamp-missing" | "timestamp-outside";

/**
 * What there is to know about one source's sender. A scheme judges; it can't make a `VerifiedWebhook`, which is left
 * to `verifier.ts`.
 */
export interface WebhookScheme {
  /** Judges a POST over its raw bytes, in constant time; `now` is in milliseconds. undefined: it is proved. */
  refusal(request: WebhookRequest, now: number): Refusal | undefined;
  /** The sender's name for this delivery. Often outside of what is signed: it says what is probably a repetition. */
  deliveryId(request: WebhookRequest): string | undefined;
  /** The answer to a proved POST that only tries the connection and is no event. */
  readonly answerToPost?: (request: WebhookRequest) => WebhookAnswer | undefined;
  /** Answers to requests of other methods. They throw HANDSHAKE_REFUSED where the handshake has its own proof. */
  readonly handshakes?: Readonly<Partial<Record<"GET" | "OPTIONS", Handshake>>>;
  /** Milliseconds in which the sender wants its answer, with room for the network; default: no own deadline. */
  readonly deadline?: number;
}

export type Handshake = (request: WebhookRequest) => WebhookAnswer;

/** The settings of every scheme but `hmac`. */
export interface WebhookSettings {
  /** One secret, or two during a rotation: either of them proves a request. */
  readonly secrets: readonly string[];
  /** `twilio`: the source's whole public URL, without query. */
  readonly publicUrl?: string | undefined;
  /** `meta`: the expected `hub.verify_token`. */
  readonly verifyToken?: string | undefined;
}

/** The header's value; undefined when it is absent or empty. */
export const header = (request: WebhookRequest, name: string): string | undefined => {
  const value = request.headers[name];
  const text = typeof value === "string" ? value : value?.join(", ");
  return text === "" ? undefined : text;
};

/** A plain-text 200. Handshakes echo what they are sent, so it may never be read as a page. */
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
 * Is one of the offered codes one of the expected? Every pair is looked at, so that the time says nothing. Codes are
 * compared as written: base64 with other spare bits isn't what was sent.
 */
export const offersOneOf = (offered: readonly string[], expected: readonly string[]): boolean => {
  let found = false;
  for (const code of offered) for (const wanted of expected) found = sameBytes(code, wanted) || found;
  return found;
};

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Is it one of the secrets? Digests are compared, for a secret's length is a secret too. */
export const isOneOf = (offered: string, secrets: readonly string[]): boolean =>
  offersOneOf([digest(offered)], secrets.map(digest));

/** A text, number or word in JSON that is longer is no field that a sender's rules speak of. */
const MAX_FIELD = 64 * 1024;

const SIMPLE = /^[^[{]/;

/**
 * The text, number or word under these names in a JSON body, undefined where the body isn't JSON or has no such place.
 * Nothing else of the body is built: it is a stranger's.
 */
export const bodyField = ({ body }: WebhookRequest, ...path: readonly string[]): unknown => {
  if (!isJson(body)) return undefined;
  const at = followPointer(pointerTo(path))(body);
  if (at < 0) return undefined;
  const value = valueAt(body, at);
  if (value.length > MAX_FIELD) return undefined;
  const text = value.toString();
  return SIMPLE.test(text) ? (JSON.parse(text) as unknown) : undefined;
};

const pointerTo = (path: readonly string[]): string =>
  path.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The same for an id: a text that isn't empty, or a number. */
export const bodyId = (request: WebhookRequest, ...path: readonly string[]): string | undefined => {
  const value = bodyField(request, ...path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
};

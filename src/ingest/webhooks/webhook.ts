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

/** The settings of a scheme, as far as they aren't its own nature. */
export interface WebhookSettings {
  /** One, or two while they are being rotated: either one proves a request. */
  readonly secrets: readonly string[];
  /** `twilio`: the source's whole public URL, without query. */
  readonly publicUrl?: string | undefined;
  /** `meta`: what `hub.verify_token` must be. */
  readonly verifyToken?: string | undefined;
  /** The rest: `hmac`. */
  readonly header?: string | undefined;
  readonly prefix?: string | undefined;
  readonly algorithm?: HmacAlgorithm | undefined;
  readonly encoding?: HmacEncoding | undefined;
  readonly template?: string | undefined;
  readonly timestampHeader?: string | undefined;
  /** Milliseconds, to both sides. */
  readonly tolerance?: number | undefined;
  readonly idHeader?: string | undefined;
  readonly idPointer?: string | undefined;
}

export type HmacAlgorithm = "sha1" | "sha256" | "sha512";
export type HmacEncoding = "hex" | "base64";

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

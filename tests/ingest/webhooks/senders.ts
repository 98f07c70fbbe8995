/** The signatures of each vendor, implemented from its documentation, independent of the code under test. */
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto";
import { asGatewayError, type GatewayError } from "../../../src/errors.ts";
import type { HmacSettings } from "../../../src/ingest/webhooks/hmac.ts";
import { createVerifier, type SchemeName, type Verifier } from "../../../src/ingest/webhooks/verifier.ts";
import type { WebhookRequest, WebhookSettings } from "../../../src/ingest/webhooks/webhook.ts";

export const NOW = 1_760_000_000_000;
export const PUBLIC_URL = "https://gw.example.com/webhooks/calls";
const SECONDS = String(NOW / 1000);

export interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly query?: string;
  readonly method?: string;
}

export const request = ({ headers = {}, body = "", query = "", method = "POST" }: Sent): WebhookRequest => ({
  method,
  headers,
  rawHeaders: Object.entries(headers).flat(),
  query,
  body: Buffer.from(body),
});

/** Settings of any scheme. Settings of `hmac` with a default are optional. */
export type AnySettings = WebhookSettings & Partial<HmacSettings>;

/** The defaults of `src/config/schema/stations-settings.ts`, and a header. */
const HMAC = {
  header: "x-sum",
  prefix: "",
  algorithm: "sha256",
  encoding: "hex",
  template: "{body}",
  tolerance: 300_000,
} as const;

export const verifierOf = (scheme: SchemeName, settings: AnySettings): Verifier =>
  createVerifier(scheme === "hmac" ? { ...HMAC, ...settings, scheme } : { ...settings, scheme });

export interface Sender {
  readonly scheme: SchemeName;
  readonly secret: string;
  readonly settings?: Omit<AnySettings, "secrets">;
  readonly body: string;
  /** Headers that contain the signature or that the signature covers. */
  sign(secret: string, body: string, seconds?: string): Sent;
  /** Milliseconds. */
  readonly tolerance?: number;
}

const mac = (
  secret: string | Buffer,
  text: string,
  encoding: "hex" | "base64" = "hex",
  algorithm = "sha256",
): string => createHmac(algorithm, secret).update(text).digest(encoding);

const BODY = '{"id":"evt_1","event_id":"Ev1","text":"héllo ☃","n":1.0}';
const FORM = "CallSid=CA1&Caller=%2B14158675309&Digits=12+34&Tag=b&Tag=a&Empty=";
const FORM_SIGNED = "CallSidCA1Caller+14158675309Digits12 34EmptyTagaTagb";

const formSigned = (body: string): string =>
  body === FORM
    ? FORM_SIGNED
    : [...new URLSearchParams(body)]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flat()
        .join("");

const keyPair = generateKeyPairSync("ed25519");
const spki = keyPair.publicKey.export({ format: "der", type: "spki" });
export const ED25519_PUBLIC = `whpk_${spki.subarray(-32).toString("base64")}`;

export const SENDERS: readonly Sender[] = [
  {
    scheme: "github",
    secret: "It's a Secret to Everybody",
    body: BODY,
    sign: (secret, body) => ({ body, headers: { "x-hub-signature-256": `sha256=${mac(secret, body)}` } }),
  },
  {
    scheme: "meta",
    secret: "app-secret",
    settings: { verifyToken: "known" },
    body: BODY,
    sign: (secret, body) => ({ body, headers: { "x-hub-signature-256": `sha256=${mac(secret, body)}` } }),
  },
  {
    scheme: "stripe",
    secret: "whsec_test_secret",
    body: BODY,
    tolerance: 300_000,
    sign: (secret, body, seconds = SECONDS) => ({
      body,
      headers: { "stripe-signature": `t=${seconds},v1=${mac(secret, `${seconds}.${body}`)}` },
    }),
  },
  {
    scheme: "standard-webhooks",
    secret: "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    body: BODY,
    tolerance: 300_000,
    sign: (secret, body, seconds = SECONDS) => ({
      body,
      headers: {
        "webhook-id": "msg_1",
        "webhook-timestamp": seconds,
        "webhook-signature": `v1,${mac(Buffer.from(secret.slice(6), "base64"), `msg_1.${seconds}.${body}`, "base64")}`,
      },
    }),
  },
  {
    scheme: "standard-webhooks",
    secret: ED25519_PUBLIC,
    body: BODY,
    tolerance: 300_000,
    sign: (secret, body, seconds = SECONDS) => {
      const key = secret === ED25519_PUBLIC ? keyPair : generateKeyPairSync("ed25519");
      const code = sign(null, Buffer.from(`msg_1.${seconds}.${body}`), key.privateKey).toString("base64");
      return {
        body,
        headers: { "svix-id": "msg_1", "svix-timestamp": seconds, "svix-signature": `v1a,${code}` },
      };
    },
  },
  {
    scheme: "slack",
    secret: "8f742231b10e8888abcd99yyyzzz85a5",
    body: BODY,
    tolerance: 300_000,
    sign: (secret, body, seconds = SECONDS) => ({
      body,
      headers: {
        "x-slack-signature": `v0=${mac(secret, `v0:${seconds}:${body}`)}`,
        "x-slack-request-timestamp": seconds,
      },
    }),
  },
  {
    scheme: "shopify",
    secret: "shpss_x",
    body: BODY,
    sign: (secret, body) => ({ body, headers: { "x-shopify-hmac-sha256": mac(secret, body, "base64") } }),
  },
  {
    scheme: "linear",
    secret: "lin_wh",
    body: `{"action":"create","webhookTimestamp":${NOW}}`,
    tolerance: 60_000,
    sign: (secret, body, seconds) => {
      const dated = seconds === undefined ? body : body.replace(String(NOW), String(Number(seconds) * 1000));
      return { body: dated, headers: { "linear-signature": mac(secret, dated) } };
    },
  },
  {
    scheme: "twilio",
    secret: "12345",
    settings: { publicUrl: PUBLIC_URL },
    body: FORM,
    sign: (secret, body) => ({
      body,
      query: "foo=1&bar=2",
      headers: {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "x-twilio-signature": mac(secret, `${PUBLIC_URL}?foo=1&bar=2${formSigned(body)}`, "base64", "sha1"),
      },
    }),
  },
  {
    scheme: "twilio",
    secret: "12345",
    settings: { publicUrl: PUBLIC_URL },
    body: '{"a":1}',
    sign: (secret, body) => {
      const query = `bodySHA256=${createHash("sha256").update(body).digest("hex")}`;
      const code = mac(secret, `${PUBLIC_URL}?${query}`, "base64", "sha1");
      return {
        body,
        query,
        headers: { "content-type": "application/json", "x-twilio-signature": code },
      };
    },
  },
  {
    scheme: "hmac",
    secret: "generic",
    settings: {
      header: "X-Sum",
      prefix: "HMAC ",
      algorithm: "sha512",
      encoding: "base64",
      template: "{id}|{timestamp}|{body}",
      timestampHeader: "X-At",
      tolerance: 10_000,
      idHeader: "X-Delivery",
    },
    body: BODY,
    tolerance: 10_000,
    sign: (secret, body, seconds = SECONDS) => ({
      body,
      headers: {
        "x-sum": `HMAC ${mac(secret, `d1|${seconds}|${body}`, "base64", "sha512")}`,
        "x-at": seconds,
        "x-delivery": "d1",
      },
    }),
  },
];

/** For test titles: a scheme can have two senders. */
export const titled = SENDERS.map(
  (sender, i) => [`${sender.scheme} (${i})`, sender] satisfies [string, Sender],
);

/** The error that a call throws. */
export const failure = (call: () => unknown): GatewayError => {
  try {
    call();
  } catch (error) {
    return asGatewayError(error);
  }
  throw new Error("nothing was thrown");
};

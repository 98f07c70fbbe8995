/** Verifies webhook requests by the scheme of their source. Only this file can create a `VerifiedWebhook`. */
import { GatewayError } from "../../errors.ts";
import { cloudevents } from "./cloudevents-webhook.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { genericHmac, type HmacSettings } from "./hmac.ts";
import { linear } from "./linear.ts";
import { meta } from "./meta.ts";
import { shopify } from "./shopify.ts";
import { slack } from "./slack.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";
import { twilio } from "./twilio.ts";
import {
  header,
  type Refusal,
  type WebhookAnswer,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";

/** Accepts every request, for senders that can't sign. */
const none = (): WebhookScheme => ({ refusal: () => undefined, deliveryId: () => undefined });

const SCHEMES = {
  github,
  stripe,
  "standard-webhooks": standardWebhooks,
  gitlab,
  slack,
  shopify,
  twilio,
  linear,
  meta,
  cloudevents,
  none,
} as const satisfies Record<string, (settings: WebhookSettings) => WebhookScheme>;

type NamedScheme = keyof typeof SCHEMES;

export type SchemeName = NamedScheme | "hmac";

export type SchemeSettings =
  ({ readonly scheme: NamedScheme } & WebhookSettings) | ({ readonly scheme: "hmac" } & HmacSettings);

declare const verified: unique symbol;

/** A delivery whose sender is verified. Its body and headers are unchanged. */
export interface VerifiedWebhook {
  readonly [verified]: true;
  /** undefined: the sender sends no id, so repeated deliveries can't be recognised. */
  readonly deliveryId: string | undefined;
  readonly contentType: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

type Verdict =
  | { readonly status: "verified"; readonly webhook: VerifiedWebhook }
  | { readonly status: "handshake"; readonly answer: WebhookAnswer }
  | { readonly status: "refused"; readonly reason: Refusal };

export interface Verifier {
  /**
   * Verifies a request. `now`: milliseconds since the epoch. Throws METHOD_NOT_ALLOWED for a method that the scheme does not
   * use, and HANDSHAKE_REFUSED for a handshake with a wrong proof.
   */
  verify(request: WebhookRequest, now: number): Verdict;
  /** Milliseconds until the answer must be sent; undefined: no deadline. */
  readonly deadline: number | undefined;
}

const verifyPost = (scheme: WebhookScheme, request: WebhookRequest, now: number): Verdict => {
  const reason = scheme.refusal(request, now);
  if (reason !== undefined) return { status: "refused", reason };
  const answer = scheme.answerToPost?.(request);
  if (answer !== undefined) return { status: "handshake", answer };
  const webhook = {
    deliveryId: scheme.deliveryId(request),
    contentType: header(request, "content-type"),
    rawHeaders: request.rawHeaders,
    body: request.body,
  } as VerifiedWebhook;
  return { status: "verified", webhook };
};

/** One secret, or two for a rotation. With an empty secret everyone could sign. */
const hasUsableSecrets = ({ scheme, secrets }: SchemeSettings): boolean =>
  scheme === "none" || (secrets.length > 0 && secrets.length <= 2 && !secrets.includes(""));

/** Throws SETTINGS_INVALID if the settings lack a value that the scheme needs. */
export const createVerifier = (settings: SchemeSettings): Verifier => {
  if (!hasUsableSecrets(settings)) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: `${settings.scheme} needs one or two secrets, none of them empty`,
    });
  }
  const scheme = settings.scheme === "hmac" ? genericHmac(settings) : SCHEMES[settings.scheme](settings);
  const handshakes = scheme.handshakes ?? {};
  const allow = ["POST", ...Object.keys(handshakes)].join(", ");

  return {
    deadline: scheme.deadline,
    verify(request, now) {
      if (request.method === "POST") return verifyPost(scheme, request, now);
      const handshake =
        request.method === "GET" || request.method === "OPTIONS" ? handshakes[request.method] : undefined;
      if (handshake === undefined)
        throw new GatewayError("METHOD_NOT_ALLOWED", { headers: { Allow: allow } });
      return { status: "handshake", answer: handshake(request) };
    },
  };
};

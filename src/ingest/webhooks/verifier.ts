/** From a request to a webhook that has proved its sender: the only place where a `VerifiedWebhook` is made. */
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

/** Believes everybody: for senders who can't sign. It has to be chosen by name. */
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

/** A delivery whose sender is known. Its body and headers are as they came. */
export interface VerifiedWebhook {
  readonly [verified]: true;
  /** undefined: the sender doesn't name its deliveries, and repetitions can't be told. */
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
   * Judges a request by its source's scheme; `now` is in milliseconds. Throws METHOD_NOT_ALLOWED for a method that
   * the scheme has no use for, HANDSHAKE_REFUSED for a handshake without its proof.
   */
  verify(request: WebhookRequest, now: number): Verdict;
  /** Milliseconds in which the sender wants its answer. */
  readonly deadline: number | undefined;
}

const judgePost = (scheme: WebhookScheme, request: WebhookRequest, now: number): Verdict => {
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

/** Empty secrets would let everybody sign; two are enough to rotate. */
const secretsFit = ({ scheme, secrets }: SchemeSettings): boolean =>
  scheme === "none" || (secrets.length > 0 && secrets.length <= 2 && !secrets.includes(""));

/** Throws SETTINGS_INVALID where the settings lack what the scheme needs. */
export const createVerifier = (settings: SchemeSettings): Verifier => {
  if (!secretsFit(settings)) {
    throw new GatewayError("SETTINGS_INVALID", { message: `${settings.scheme} needs one or two secrets` });
  }
  const scheme = settings.scheme === "hmac" ? genericHmac(settings) : SCHEMES[settings.scheme](settings);
  const handshakes = scheme.handshakes ?? {};
  const allow = ["POST", ...Object.keys(handshakes)].join(", ");

  return {
    deadline: scheme.deadline,
    verify(request, now) {
      if (request.method === "POST") return judgePost(scheme, request, now);
      const handshake =
        request.method === "GET" || request.method === "OPTIONS" ? handshakes[request.method] : undefined;
      if (handshake === undefined)
        throw new GatewayError("METHOD_NOT_ALLOWED", { headers: { Allow: allow } });
      return { status: "handshake", answer: handshake(request) };
    },
  };
};

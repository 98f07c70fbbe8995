import {
  bodyId,
  type Handshake,
  header,
  isOneOf,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";

/** The bearer token of the header, or else of the query. */
const token = (request: WebhookRequest): string | undefined => {
  const authorization = header(request, "authorization");
  if (authorization !== undefined) return /^bearer ([^ ]+)$/i.exec(authorization)?.[1];
  return new URLSearchParams(request.query).get("access_token") ?? undefined;
};

/** Section 4, abuse protection: allows every origin at any rate. It needs no token, because it stores nothing. */
const validation: Handshake = (request) => {
  const origin = header(request, "webhook-request-origin");
  const granted = origin && { "webhook-allowed-origin": origin, "webhook-allowed-rate": "*" };
  return { status: 200, headers: { allow: "POST, OPTIONS", ...granted }, body: "" };
};

/** The id of an event in structured mode, which is in the body. */
const structuredId = (request: WebhookRequest): string | undefined =>
  /^application\/cloudevents\+json\b/i.test(header(request, "content-type") ?? "")
    ? bodyId(request, "id")
    : undefined;

/** "HTTP 1.1 Web Hooks for Event Delivery 1.0": the secrets are bearer tokens. */
export const cloudevents = ({ secrets }: WebhookSettings): WebhookScheme => ({
  refusal(request) {
    const offered = token(request);
    if (offered === undefined) return "credential-missing";
    return isOneOf(offered, secrets) ? undefined : "credential-wrong";
  },
  deliveryId: (request) => header(request, "ce-id") ?? structuredId(request),
  handshakes: { OPTIONS: validation },
});

import { hmacScheme, prefixed } from "./hmac-scheme.ts";
import { header, type WebhookScheme, type WebhookSettings } from "./webhook.ts";

/** Shopify, "Verify a webhook". A repeated webhook has the same event id. */
export const shopify = ({ secrets }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "base64",
    signatures: (request) => prefixed(header(request, "x-shopify-hmac-sha256"), ""),
    signed: ({ body }) => [body],
    deliveryId: (request) => header(request, "x-shopify-event-id"),
    deadline: 4500,
  });

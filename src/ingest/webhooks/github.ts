import { hmacScheme, prefixed } from "./hmac-scheme.ts";
import { header, type WebhookScheme, type WebhookSettings } from "./webhook.ts";

/** GitHub, "Validating webhook deliveries". A ping is stored like every other webhook. */
export const github = ({ secrets }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "hex",
    signatures: (request) => prefixed(header(request, "x-hub-signature-256"), "sha256="),
    signed: ({ body }) => [body],
    deliveryId: (request) => header(request, "x-github-delivery"),
    deadline: 9000,
  });

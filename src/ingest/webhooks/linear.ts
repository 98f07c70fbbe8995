import {
  bodyField,
  header,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";
import { epoch, hmacScheme, prefixed } from "./hmac-scheme.ts";

/** The times in the body, which is signed, and in the header, which is not. Each time that is present is checked. */
const times = (request: WebhookRequest): readonly (number | undefined)[] => {
  const inBody = bodyField(request, "webhookTimestamp");
  const inHeader = header(request, "linear-timestamp");
  return [
    ...(inBody === undefined ? [] : [typeof inBody === "number" ? inBody : undefined]),
    ...(inHeader === undefined ? [] : [epoch(inHeader, "ms")]),
  ];
};

/** Linear, "Securing webhooks". */
export const linear = ({ secrets }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "hex",
    signatures: (request) => prefixed(header(request, "linear-signature"), ""),
    signed: ({ body }) => [body],
    time: { read: times, tolerance: 60_000 },
    deliveryId: (request) => header(request, "linear-delivery"),
    deadline: 4500,
  });

import {
  bodyField,
  header,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";
import { epoch, hmacScheme, prefixed } from "./hmac-scheme.ts";

/** The body's time is signed, the header's is not: each that is there has to hold. */
const times = (request: WebhookRequest): readonly (number | undefined)[] => {
  const signed = bodyField(request, "webhookTimestamp");
  const told = header(request, "linear-timestamp");
  return [
    ...(signed === undefined ? [] : [typeof signed === "number" ? signed : undefined]),
    ...(told === undefined ? [] : [epoch(told, "ms")]),
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

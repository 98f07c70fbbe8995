import { bodyId, header, type WebhookRequest, type WebhookScheme, type WebhookSettings } from "./webhook.ts";
import { epoch, hmacScheme } from "./hmac-scheme.ts";

/**
 * The values with this name in `t=…,v1=…,v1=…`. There are several v1 while Stripe rotates its secret. A header that
 * contains anything else than pairs has no values.
 */
const values = (request: WebhookRequest, name: string): readonly string[] => {
  const pairs = header(request, "stripe-signature")?.split(",") ?? [];
  if (!pairs.every((pair) => /^\w+=./.test(pair))) return [];
  return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
};

const timestamp = (request: WebhookRequest): string | undefined => values(request, "t")[0];

/** Stripe, "Verify webhook signatures manually". The key is the whole secret, including `whsec_`. */
export const stripe = ({ secrets }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "hex",
    signatures: (request) => values(request, "v1"),
    signed: (request) => {
      const time = timestamp(request);
      return time === undefined ? undefined : [time, ".", request.body];
    },
    time: { read: (request) => [epoch(timestamp(request), "s")], tolerance: 300_000 },
    deliveryId: (request) => bodyId(request, "id"),
  });

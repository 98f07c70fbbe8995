import { bodyId, header, type WebhookRequest, type WebhookScheme, type WebhookSettings } from "./webhook.ts";
import { epoch, hmacScheme } from "./hmac-scheme.ts";

/**
 * The values of one name in `t=…,v1=…,v1=…`: several v1 are sent while Stripe rotates its secret. A header that isn't
 * made of such pairs alone has none.
 */
const values = (request: WebhookRequest, name: string): readonly string[] => {
  const pairs = header(request, "stripe-signature")?.split(",") ?? [];
  if (!pairs.every((pair) => /^\w+=./.test(pair))) return [];
  return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
};

const timestamp = (request: WebhookRequest): string | undefined => values(request, "t")[0];

/** Stripe, "Verify webhook signatures manually". The secret is used as it is written, `whsec_` included. */
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

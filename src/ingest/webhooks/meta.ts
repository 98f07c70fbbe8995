import { GatewayError } from "../../errors.ts";
import {
  type Handshake,
  header,
  isOneOf,
  textAnswer,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";
import { hmacScheme, prefixed } from "./hmac-scheme.ts";

/** "Verification Requests": Meta shows that it knows the token, we show that we understood. */
const subscription =
  (verifyToken: string): Handshake =>
  ({ query }) => {
    const asked = new URLSearchParams(query);
    const token = asked.get("hub.verify_token");
    const challenge = asked.get("hub.challenge");
    const known = token !== null && isOneOf(token, [verifyToken]);
    if (!known || asked.get("hub.mode") !== "subscribe" || challenge === null) {
      throw new GatewayError("HANDSHAKE_REFUSED");
    }
    return textAnswer(challenge);
  };

/** Meta, "Webhooks from Meta": WhatsApp, Messenger, Instagram and pages. The secret is the app's secret. */
export const meta = ({ secrets, verifyToken }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "hex",
    signatures: (request) => prefixed(header(request, "x-hub-signature-256"), "sha256="),
    signed: ({ body }) => [body],
    deliveryId: () => undefined,
    ...(verifyToken && { handshakes: { GET: subscription(verifyToken) } }),
  });

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

/** "Verification Requests": Meta sends the token, and expects its challenge back. */
const subscription =
  (verifyToken: string): Handshake =>
  ({ query }) => {
    const parameters = new URLSearchParams(query);
    const token = parameters.get("hub.verify_token");
    const challenge = parameters.get("hub.challenge");
    const known = token !== null && isOneOf(token, [verifyToken]);
    if (!known || parameters.get("hub.mode") !== "subscribe" || challenge === null) {
      throw new GatewayError("HANDSHAKE_REFUSED");
    }
    return textAnswer(challenge);
  };

/** Meta, "Webhooks from Meta": WhatsApp, Messenger, Instagram and pages. The secret is the app secret. */
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

import type { WebhookScheme } from "./webhook.ts";

/** Believes everybody: for senders who can't sign. It has to be chosen by name. */
export const none = (): WebhookScheme => ({ refusal: () => undefined, deliveryId: () => undefined });

import { createHmac } from "node:crypto";

/**
 * Signs as Standard Webhooks 1.0 says: HMAC-SHA256 over `<id>.<timestamp>.<body>`.
 * Returns header names and values in turn; `timestamp` is in seconds since the epoch.
 */
export const standardWebhookHeaders = (
  secret: Buffer,
  id: string,
  timestamp: number,
  body: Buffer | null,
): readonly string[] => {
  const hmac = createHmac("sha256", secret).update(`${id}.${timestamp}.`);
  const signature = (body === null ? hmac : hmac.update(body)).digest("base64");
  return ["webhook-id", id, "webhook-timestamp", String(timestamp), "webhook-signature", `v1,${signature}`];
};

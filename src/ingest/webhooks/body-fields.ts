import type { WebhookRequest } from "./webhook.ts";

const parsed = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
};

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

/** What lies under these names in a JSON body; undefined where the body isn't JSON or has no such place. */
export const bodyField = (request: WebhookRequest, ...path: readonly string[]): unknown =>
  path.reduce(member, parsed(request.body));

/** The same for an id: a text that isn't empty, or a number. */
export const bodyId = (request: WebhookRequest, ...path: readonly string[]): string | undefined => {
  const value = bodyField(request, ...path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
};

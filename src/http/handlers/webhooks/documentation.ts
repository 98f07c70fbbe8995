/** What third parties post. */
import { z } from "zod";
import type { Documentation } from "../../documentation.ts";

const webhook = {
  tag: "Webhooks",
  path: {
    source: {
      description: "A declared source.",
      schema: z.string().regex(/^[a-zA-Z0-9][\w.-]{0,127}$/),
    },
  },
} as const;

const text = { "text/plain": z.string() };

export const receiveWebhook: Documentation = {
  ...webhook,
  id: "receiveWebhook",
  summary: "Store what a third party sends",
  description:
    "The signature is checked over the raw bytes, as the source's scheme says, before anything is stored.",
  body: {
    content: { "application/json": z.unknown(), "application/x-www-form-urlencoded": z.looseObject({}) },
    optional: true,
  },
  answers: {
    200: { description: "A handshake of the sender; nothing is stored.", content: text },
    202: { description: "Stored, now or by an earlier delivery of the same id and body." },
  },
  errors: [
    "UNAUTHORIZED",
    "ROUTE_UNKNOWN",
    "STATION_UNKNOWN",
    "SCHEMA_REFUSED",
    "RECORD_TOO_LARGE",
    "RATE_LIMITED",
    "BROKER_UNAVAILABLE",
    "BROKER_AMBIGUOUS",
    "OVERLOADED",
  ],
};

export const verifyWebhook: Documentation = {
  ...webhook,
  id: "verifyWebhook",
  summary: "The handshake of senders that begin with a GET",
  answers: { 200: { description: "The challenge.", content: text } },
  errors: ["HANDSHAKE_REFUSED", "ROUTE_UNKNOWN", "METHOD_NOT_ALLOWED"],
};

export const admitWebhook: Documentation = {
  ...webhook,
  id: "admitWebhook",
  summary: "The handshake of senders that begin with OPTIONS",
  answers: {
    200: { description: "The sender may go on (CloudEvents' webhook protection)." },
    204: { description: "A browser's preflight." },
  },
  errors: ["HANDSHAKE_REFUSED", "ROUTE_UNKNOWN", "METHOD_NOT_ALLOWED"],
};

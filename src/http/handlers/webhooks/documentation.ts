/** The routes that webhook senders call. */
import { z } from "zod";
import type { Documentation } from "../../documentation.ts";

const webhook = {
  tag: "Webhooks",
  path: {
    source: {
      description: "Name of a declared webhook source.",
      schema: z.string().regex(/^[a-zA-Z0-9][\w.-]{0,127}$/),
    },
  },
} as const;

const text = { "text/plain": z.string() };

export const receiveWebhook: Documentation = {
  ...webhook,
  id: "receiveWebhook",
  summary: "Store a webhook event",
  description:
    "The gateway first checks the signature of the unchanged body, as the scheme of the source says. Then it stores the event.",
  body: {
    content: { "application/json": z.unknown(), "application/x-www-form-urlencoded": z.looseObject({}) },
    optional: true,
  },
  answers: {
    200: { description: "The answer to a handshake. Nothing is stored.", content: text },
    202: { description: "Stored, by this delivery or by an earlier delivery with the same id and body." },
  },
  errors: [
    "UNAUTHORIZED",
    "ROUTE_UNKNOWN",
    "STATION_UNKNOWN",
    "SCHEMA_REFUSED",
    "EVENT_ID_REFUSED",
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
  summary: "Check a webhook URL with GET (handshake of the sender)",
  answers: { 200: { description: "The challenge of the sender.", content: text } },
  errors: ["HANDSHAKE_REFUSED", "ROUTE_UNKNOWN", "METHOD_NOT_ALLOWED"],
};

export const admitWebhook: Documentation = {
  ...webhook,
  id: "admitWebhook",
  summary: "Ask with OPTIONS whether a sender may send events (handshake of the sender)",
  answers: {
    200: { description: "The sender may send events (CloudEvents' abuse protection)." },
    204: { description: "The answer to the preflight request of a browser." },
  },
  errors: ["HANDSHAKE_REFUSED", "ROUTE_UNKNOWN", "METHOD_NOT_ALLOWED"],
};

/** The endpoint of the business server: every event, in an envelope, with the authorisation that is configured. */
import { serviceToken } from "../../auth/service-token.ts";
import { jsonTextOf, type JsonObject, type JsonTree } from "../../lib/json-tree.ts";
import type { BusinessEvent, ReadEvent } from "./event.ts";
import { callbackRequest, callbackTarget, classifyCallback, type CallbackTarget } from "./callback.ts";
import type { Endpoint } from "../engine/endpoint.ts";

/** How the gateway shows the business server who calls. */
export type CallbackAuth =
  | { readonly type: "none" }
  | { readonly type: "api_key"; readonly header: string; readonly secret: string }
  /** `ttl`: milliseconds that a token is valid for; each attempt has one of its own. */
  | { readonly type: "jwt"; readonly header: string; readonly secret: string; readonly ttl: number };

export interface BusinessServerOptions {
  readonly baseUrl: string;
  /** `/event` goes below the path of `baseUrl`; else it takes its place. */
  readonly keepBasePath: boolean;
  readonly auth: CallbackAuth;
  readonly read: ReadEvent;
}

const targetOf = ({ baseUrl, keepBasePath }: BusinessServerOptions): CallbackTarget => {
  const { pathname, search } = new URL(baseUrl);
  const path = keepBasePath ? `${pathname.replace(/\/+$/, "")}/event${search}` : "/event";
  return { ...callbackTarget(baseUrl), path };
};

const credentials = (auth: CallbackAuth, now: number): readonly string[] => {
  if (auth.type === "none") return [];
  if (auth.type === "api_key") return [auth.header, auth.secret];
  return [auth.header, `Bearer ${serviceToken(auth.secret, now, auth.ttl)}`];
};

const envelopeOf = (event: BusinessEvent, now: number): Buffer => {
  const envelope = new Map<string, JsonTree>([
    ["id", event.id],
    ["timestamp", new Date(now).toISOString()],
    ["type", event.type],
    ["payload", new Map([[event.subject, subjectOf(event)]])],
  ]);
  return Buffer.from(jsonTextOf(envelope));
};

/** Of a customer the business server is told the id only: it asks for the rest. */
const subjectOf = ({ subject, content }: BusinessEvent): JsonObject =>
  subject === "customer" ? new Map([...content].filter(([name]) => name === "id")) : content;

/** A record that is no event is a dead letter. */
export const createBusinessServer = (options: BusinessServerOptions): Endpoint => {
  const { auth, read } = options;
  const target = targetOf(options);
  return {
    admit: (record) => {
      const event = read(record);
      return "broken" in event ? { deadLetter: event.broken } : "deliver";
    },
    render: (record, now) => {
      const event = read(record);
      const body = "broken" in event ? Buffer.alloc(0) : envelopeOf(event, now);
      return callbackRequest(target, body, credentials(auth, now));
    },
    classify: classifyCallback,
  };
};

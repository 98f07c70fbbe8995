/** The endpoint of one client: the events that concern it, each at the URL of its kind, signed with our SEP-10 key. */
import type { KeyObject } from "node:crypto";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { callbackUrlOf, type CallbackClient } from "../event-service/callback-client.ts";
import type { BusinessEvent, ReadEvent } from "../event-service/event.ts";
import { callbackRequest, callbackTarget, classifyCallback, type CallbackTarget } from "./callback.ts";
import type { Endpoint } from "./endpoint.ts";
import { stellarSignature } from "./stellar-signature.ts";

export interface ClientCallbackOptions {
  readonly client: CallbackClient;
  readonly key: KeyObject;
  readonly read: ReadEvent;
}

/** A customer goes bare, everything else under its name. */
const bodyOf = ({ subject, source }: BusinessEvent): Buffer =>
  Buffer.from(subject === "customer" ? source : `{"${subject}":${source}}`);

/** A record that is no event concerns no client. */
export const createClientCallback = ({ client, key, read }: ClientCallbackOptions): Endpoint => {
  const targets = new Map<string, CallbackTarget>();
  for (const url of Object.values(client.callbackUrls)) {
    if (url !== undefined) targets.set(url, callbackTarget(url));
  }

  const callbackOf = (record: ConsumedRecord) => {
    const event = read(record);
    if ("broken" in event) return undefined;
    const target = targets.get(callbackUrlOf(client, event) ?? "");
    return target && { event, target };
  };

  return {
    concerns: (record) => callbackOf(record) !== undefined,
    admit: () => "deliver",
    render: (record, now) => {
      const callback = callbackOf(record);
      if (callback === undefined)
        throw new GatewayError("INTERNAL", { message: "No callback of this client's" });
      const { event, target } = callback;
      const body = bodyOf(event);
      const signature = stellarSignature(key, { t: Math.floor(now / 1000), host: target.host, body });
      return callbackRequest(target, body, ["Signature", signature]);
    },
    classify: classifyCallback,
  };
};

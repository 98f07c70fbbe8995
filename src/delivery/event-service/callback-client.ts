import type { BusinessEvent } from "./event.ts";

/** A wallet that wants to hear of its own transactions. */
export interface CallbackClient {
  readonly name: string;
  /** In lower case; a client that is known by its signing keys has none. */
  readonly domains: readonly string[];
  /** By SEP (`sep6`, `sep12`, `sep24`, `sep31`) or by type of event; the type's comes first. */
  readonly callbackUrls: Readonly<Record<string, string | undefined>>;
}

/** Is the event about the client's own, or about nobody's in particular? A name says more than a domain. */
const concerns = ({ name, domains }: CallbackClient, event: BusinessEvent): boolean => {
  if (event.clientName !== undefined) return event.clientName === name;
  return event.clientDomain === undefined || domains.includes(event.clientDomain);
};

/** Where the client wants the event; undefined: nowhere. */
export const callbackUrlOf = (client: CallbackClient, event: BusinessEvent): string | undefined => {
  if (event.subject === "quote" || !concerns(client, event)) return undefined;
  const sep = event.subject === "customer" ? "12" : (event.sep ?? "");
  return client.callbackUrls[event.type] ?? client.callbackUrls[`sep${sep}`];
};

/** The operator's clients (wallets): which transactions are whose, and where a client wants them. */
import type { Broker, TopicPartitionOffset } from "../../broker/broker.ts";
import { joinedDistinct } from "../../lib/text.ts";
import type { BusinessEvent } from "./event.ts";

export interface CallbackClient {
  readonly name: string;
  /** As configured; a client that is known by its signing keys has none. */
  readonly domains: readonly string[];
  /** Accounts (`G…`); a client that is known by its domains has none. */
  readonly signingKeys: readonly string[];
  /** By SEP (`sep6`, `sep12`, `sep24`, `sep31`) or by type of event; the type's URL comes first. */
  readonly callbackUrls: Readonly<Record<string, string | undefined>>;
}

/** Which transactions a client gets: its own, also those that name no client and are nobody's, or all. */
export type TransactionScope = "own" | "own_and_unnamed" | "all";

/** What a transaction looks like to a client: as its SEP answers it, or as the platform's own object. */
export type BodyForm = "sep" | "platform";

/** A name says more than a domain, and a domain more than the account of the creator. */
const owns = (client: CallbackClient, event: BusinessEvent): boolean => {
  const { clientName, clientDomain, creatorAccount } = event;
  if (clientName !== undefined) return clientName === client.name;
  if (clientDomain !== undefined)
    return client.domains.some((domain) => domain.toLowerCase() === clientDomain);
  return creatorAccount !== undefined && client.signingKeys.includes(creatorAccount);
};

/** Decides by client and event who gets a transaction. */
export type IsFor = (client: CallbackClient, event: BusinessEvent) => boolean;

export const isForIn = (scope: TransactionScope, clients: readonly CallbackClient[]): IsFor => {
  if (scope === "all") return () => true;
  if (scope === "own") return owns;
  return (client, event) => owns(client, event) || isUnnamed(event, clients);
};

/** Does the transaction name no client, and is it no client's own? */
const isUnnamed = (event: BusinessEvent, clients: readonly CallbackClient[]): boolean =>
  event.clientName === undefined && event.clientDomain === undefined && !isOwned(event, clients);

/** Is there a client whose own the transaction is? */
export const isOwned = (event: BusinessEvent, clients: readonly CallbackClient[]): boolean =>
  clients.some((client) => owns(client, event));

/** SEPs whose transactions go to clients. */
const SEPS: readonly (string | undefined)[] = ["6", "24", "31"];

/** Where the client wants an event that is for it; undefined: nowhere. A quote goes to no client. */
export const callbackUrlOf = (
  { callbackUrls }: CallbackClient,
  { subject, type, sep }: BusinessEvent,
  bodies: BodyForm,
): string | undefined => {
  if (subject === "quote") return undefined;
  if (subject === "customer") return callbackUrls[type] ?? callbackUrls["sep12"];
  if (SEPS.includes(sep)) return callbackUrls[type] ?? callbackUrls[`sep${sep ?? ""}`];
  return bodies === "platform" ? callbackUrls[type] : undefined;
};

/** The consumer group that the Anchor Platform gives the client: named by its keys or domains, as written, each once. */
export const listOf = ({ domains, signingKeys }: CallbackClient): string =>
  joinedDistinct([...signingKeys, ...domains]);

/** Positions that an earlier Stationgate kept under another group's name: taken over, and kept in step. */

/**
 * The broker, as whoever stores positions of groups without members sees it. A group that has an earlier one (`earlier`,
 * by the group's name) is at the later of the two positions, per partition; a position is stored in both. So the earlier
 * program can go on where this one ends, and this one where it ends, in turn and side by side.
 */
export const withEarlierGroups = (broker: Broker, earlier: ReadonlyMap<string, string>): Broker => ({
  ...broker,
  committed: async (group, topic) => {
    const before = earlier.get(group);
    if (before === undefined || before === group) return broker.committed(group, topic);
    return laterOf(await Promise.all([broker.committed(group, topic), broker.committed(before, topic)]));
  },
  setCommitted: async (group, positions, isWanted) => {
    await broker.setCommitted(group, positions, isWanted);
    const before = earlier.get(group);
    if (before !== undefined && before !== group) await broker.setCommitted(before, positions, isWanted);
  },
});

const laterOf = (groups: readonly (readonly TopicPartitionOffset[])[]): readonly TopicPartitionOffset[] => {
  const latest = new Map<number, TopicPartitionOffset>();
  for (const position of groups.flat()) {
    const known = latest.get(position.partition);
    if (known === undefined || known.offset < position.offset) latest.set(position.partition, position);
  }
  return [...latest.values()];
};

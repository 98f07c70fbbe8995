/**
 * The operator's clients (wallets): which transactions a client gets, at which URL, and in which consumer group. Also
 * takes over and updates the positions that an earlier Stationgate stored under another group name.
 */
import type { Broker, TopicPartitionOffset } from "../../broker/broker.ts";
import { joinedDistinct } from "../../lib/text.ts";
import type { BusinessEvent } from "./event.ts";

export interface CallbackClient {
  readonly name: string;
  /** As configured. Empty if the client is identified by its signing keys. */
  readonly domains: readonly string[];
  /** Accounts (public keys as strkeys). Empty if the client is identified by its domains. */
  readonly signingKeys: readonly string[];
  /** URLs by SEP (`sep6`, `sep12`, `sep24`, `sep31`) or by event type. The URL of the event type has precedence. */
  readonly callbackUrls: Readonly<Record<string, string | undefined>>;
}

/** Which transactions a client gets: its own; its own and those without an owner that name no client; or all. */
export type TransactionScope = "own" | "own_and_unnamed" | "all";

/** Form of a transaction in a callback: as the SEP's GET /transaction answers it, or the platform's own object. */
export type BodyForm = "sep" | "platform";

/** The client name has precedence over the domain, and the domain over the creator's account. */
const owns = (client: CallbackClient, event: BusinessEvent): boolean => {
  const { clientName, clientDomain, creatorAccount } = event;
  if (clientName !== undefined) return clientName === client.name;
  if (clientDomain !== undefined)
    return client.domains.some((domain) => domain.toLowerCase() === clientDomain);
  return creatorAccount !== undefined && client.signingKeys.includes(creatorAccount);
};

/** True if this client gets this transaction. */
export type IsFor = (client: CallbackClient, event: BusinessEvent) => boolean;

export const isForIn = (scope: TransactionScope, clients: readonly CallbackClient[]): IsFor => {
  if (scope === "all") return () => true;
  if (scope === "own") return owns;
  return (client, event) => owns(client, event) || isUnnamed(event, clients);
};

/** The transaction names no client, and no client owns it. */
const isUnnamed = (event: BusinessEvent, clients: readonly CallbackClient[]): boolean =>
  event.clientName === undefined && event.clientDomain === undefined && !isOwned(event, clients);

/** True if a client owns the transaction. */
export const isOwned = (event: BusinessEvent, clients: readonly CallbackClient[]): boolean =>
  clients.some((client) => owns(client, event));

/** SEPs whose transactions are sent to clients. */
const SEPS: readonly (string | undefined)[] = ["6", "24", "31"];

/** The client's URL for an event. undefined: the client doesn't get the event. Quotes are sent to no client. */
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

/** The client's signing keys or domains as written, each once. The Anchor Platform names the client's consumer group by this list. */
export const listOf = ({ domains, signingKeys }: CallbackClient): string =>
  joinedDistinct([...signingKeys, ...domains]);

/**
 * A broker for groups without members that takes over the positions of an earlier Stationgate. `earlier` maps a group to
 * the earlier name of the group. The position of a group is the later one of both groups, per partition. A new position is
 * stored in both groups, so that both versions can run in turn or at the same time.
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

/** The records of consumer instances in the slot's log: the instance itself, and positions that are not committed. */
import type { TopicPartition } from "../../broker/positions.ts";
import type { SlotRecord } from "../../home/contract.ts";
import { partsOfName, recordName, type SlotRecords } from "../slot-records.ts";
import type { InstanceSettings, NamedPartition, NamedTopic } from "./requests.ts";

/** What an instance reads. */
export type Subscription =
  | { readonly kind: "none" }
  | { readonly kind: "topics"; readonly topics: readonly NamedTopic[] }
  | { readonly kind: "pattern"; readonly pattern: string; readonly readable: readonly (readonly string[])[] }
  | { readonly kind: "assigned"; readonly partitions: readonly NamedPartition[] };

export interface StoredInstance {
  readonly owner: string;
  readonly settings: InstanceSettings;
  /** Of the request that created the instance. */
  readonly requestId: string;
  readonly subscription: Subscription;
}

/** A position that counts until the group commits another offset than the one at that time. */
export interface StoredPosition {
  readonly offset: bigint;
  /** The group's committed offset when the position was stored. */
  readonly committed: bigint | undefined;
  /** The next automatic commit includes the position. */
  readonly isDue: boolean;
}

/** `seek`: counts until a commit. `end`: of a planned end of the process; only the next home uses it. */
type PositionKind = "seek" | "end";

const INSTANCE = "instance";

export const instanceRecord = (group: string, instance: string): string =>
  recordName(INSTANCE, group, instance);

export const encodeInstance = (stored: StoredInstance): Buffer => Buffer.from(JSON.stringify(stored));

interface FoundInstance {
  readonly group: string;
  readonly instance: string;
  readonly stored: StoredInstance;
}

export const storedInstances = (records: SlotRecords): readonly FoundInstance[] =>
  records.under(INSTANCE).map(([name, value]) => {
    const [, group = "", instance = ""] = partsOfName(name);
    return { group, instance, stored: JSON.parse(value.toString()) as StoredInstance };
  });

export const positionRecord = (
  kind: PositionKind,
  {
    group,
    instance,
    topic,
    partition,
  }: TopicPartition & { readonly group: string; readonly instance: string },
): string => recordName(kind, group, instance, topic, partition);

export const encodePosition = ({ offset, committed, isDue }: StoredPosition): Buffer =>
  Buffer.from(JSON.stringify({ offset: offset.toString(), committed: committed?.toString() ?? null, isDue }));

export const decodePosition = (value: Buffer): StoredPosition => {
  const { offset, committed, isDue } = JSON.parse(value.toString()) as {
    readonly offset: string;
    readonly committed: string | null;
    readonly isDue: boolean;
  };
  return { offset: BigInt(offset), committed: committed === null ? undefined : BigInt(committed), isDue };
};

/** Records that delete all of an instance. */
export const withoutInstance = (
  records: SlotRecords,
  group: string,
  instance: string,
): readonly SlotRecord[] =>
  [
    instanceRecord(group, instance),
    ...POSITION_KINDS.flatMap((kind) => records.under(kind, group, instance).map(([name]) => name)),
  ].map((name) => ({ name, value: null }));

const POSITION_KINDS: readonly PositionKind[] = ["seek", "end"];

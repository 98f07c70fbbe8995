/** What the operations of instances share: the call, and its answer. */
import type { Broker } from "../../broker/broker.ts";
import type { PeerAnswer } from "../../home/peers/peers.ts";
import type { Decoder } from "../../registry/decoder.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Instance } from "./instance.ts";
import type { InstanceGroup } from "./instance-group.ts";
import { type Arguments, type NamedTopic, type Operation, V2_TYPE } from "./requests.ts";
import type { Subscription } from "./stored.ts";

export interface OperationOptions {
  readonly broker: Pick<Broker, "committed" | "partitions" | "watermarks" | "offsetsAt">;
  readonly clock: Clock;
  /** Most bytes of keys and values of one answer. */
  readonly maxBytes: number;
  /** Bytes that the instances of a group together read before a call asks for them. */
  readonly groupBuffer: number;
  /** undefined: there is no schema registry. */
  readonly decoder?: Decoder | undefined;
  /** The stations that a pattern matches now. Throws SHAPE_INVALID. Rejects with BROKER_UNAVAILABLE. */
  readonly matching: (
    subscription: Extract<Subscription, { kind: "pattern" }>,
  ) => Promise<readonly NamedTopic[]>;
  /** An answer with this number of records has ended. */
  readonly onAnswer: (records: number, sentWhole: boolean) => void;
}

/** A call of an instance. */
export interface Context {
  readonly options: OperationOptions;
  readonly group: InstanceGroup;
  readonly instance: Instance;
  readonly readable: readonly (readonly string[])[];
  /** Aborted when the client has disconnected, the instance is deleted, or the slot is closed. */
  readonly signal: AbortSignal;
}

export type Run<O extends Operation> = (context: Context, given: Arguments<O>) => Promise<PeerAnswer>;

const noop = (): void => undefined;

export const answer = (status: number, value?: unknown): PeerAnswer => ({
  status,
  headers: value === undefined ? {} : { "Content-Type": V2_TYPE },
  body: Buffer.from(value === undefined ? "" : JSON.stringify(value)),
  ended: noop,
});

export const DONE = answer(204);

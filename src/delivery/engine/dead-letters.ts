/** The dead letter topic: records that were given up, as they were, with what is known of why. */
import type { Broker, BrokerRecord, ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { asGatewayError, GatewayError, type ErrorCode } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { Item } from "./claims.ts";
import type { DeliveryObserver } from "./observer.ts";

/** Names of the headers that are added to a dead letter. */
const DEAD_LETTER_HEADERS = {
  connector: "stationgate-connector",
  topic: "stationgate-topic",
  partition: "stationgate-partition",
  offset: "stationgate-offset",
  attempts: "stationgate-attempts",
  status: "stationgate-status",
  error: "stationgate-error",
} as const;

const OURS: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS));

const header = (name: string, value: string): RecordHeader => ({ name, value: Buffer.from(value) });

const headerOf = ({ headers }: ConsumedRecord, name: string): string | undefined =>
  headers.find((header) => header.name === name)?.value?.toString();

/** The record as it was when this connector gave it up; undefined: it is none of its letters. */
export const originalOf = (letter: ConsumedRecord, connector: string): ConsumedRecord | undefined => {
  const names = DEAD_LETTER_HEADERS;
  const topic = headerOf(letter, names.topic);
  const position = `${headerOf(letter, names.partition) ?? ""}@${headerOf(letter, names.offset) ?? ""}`;
  const [, partition, offset] = /^(\d{1,9})@(\d{1,19})$/.exec(position) ?? [];
  if (headerOf(letter, names.connector) !== connector) return undefined;
  if (topic === undefined || partition === undefined || offset === undefined) return undefined;
  const headers = letter.headers.filter(({ name }) => !OURS.has(name));
  return { ...letter, topic, partition: Number(partition), offset: BigInt(offset), headers };
};

export interface DeathCause {
  readonly attempts: number;
  /** Of the last attempt's answer; null: there was none. */
  readonly status: number | null;
  readonly error: string | null;
}

/** Why a letter was given up. */
export const causeOf = (letter: ConsumedRecord): DeathCause => {
  const names = DEAD_LETTER_HEADERS;
  const text = (name: string): string | null => {
    const found = headerOf(letter, name) ?? "";
    return found === "" ? null : found;
  };
  const status = text(names.status);
  return {
    attempts: Number(text(names.attempts) ?? 0),
    status: status === null ? null : Number(status),
    error: text(names.error),
  };
};

/** A letter that was sent once more, and given up again, keeps its first identity. */
const deadLetterOf = (connector: string, item: Item, now: number): BrokerRecord => {
  const { attempts, lastStatus, lastError } = item;
  const names = DEAD_LETTER_HEADERS;
  const record = originalOf(item.record, connector) ?? item.record;
  return {
    key: record.key,
    value: record.value,
    timestamp: now,
    headers: [
      ...record.headers.filter(({ name }) => !OURS.has(name)),
      header(names.connector, connector),
      header(names.topic, record.topic),
      header(names.partition, String(record.partition)),
      header(names.offset, String(record.offset)),
      header(names.attempts, String(attempts)),
      header(names.status, lastStatus === undefined ? "" : String(lastStatus)),
      header(names.error, cut(lastError ?? `HTTP status ${String(lastStatus)}`)),
    ],
  };
};

const store = async (broker: Broker, topic: string, letter: BrokerRecord): Promise<void> => {
  let [outcome] = await broker.append(topic, [letter]);
  if (outcome?.status === "failed" && outcome.error.code === "STATION_UNKNOWN") {
    await broker.ensureTopic({ name: topic });
    [outcome] = await broker.append(topic, [letter]);
  }
  if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("BROKER_UNAVAILABLE");
};

/** Refusals that time doesn't change, and what to do about them. */
const HOPELESS: Partial<Record<ErrorCode, string>> = {
  RECORD_TOO_LARGE: "it is larger than the topic takes; raise the topic's max.message.bytes",
  RECORD_REFUSED: "the topic does not take its key or its timestamp",
  TOPIC_REFUSED:
    "Kafka refuses the topic to the gateway; grant the rights to write and create it, or correct its name",
};

/** Waits between tries to store a dead letter; the last one repeats. */
const AGAIN_MS = [250, 500, 1000, 2000, 5000];

export interface DroppingOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
}

/** `abandoned`: the record is still to be dealt with, by whoever has its partition; `stop`: only an operator can help. */
export type DropEnd =
  | { readonly action: "dropped" }
  | { readonly action: "abandoned" }
  | { readonly action: "stop"; readonly trace: string };

/**
 * Gives records up. With a dead letter topic (created when it is missing) a drop is complete only after the letter is
 * stored, which is tried until then, or until it is refused for good.
 */
export const createDropping = ({ broker, plan, clock, observer }: DroppingOptions) => {
  const { name, deadLetterTopic } = plan;

  const traceOf = ({ record: { topic, partition, offset } }: Item, letters: string, why: string): string =>
    `Delivery stopped at ${topic}-${partition}@${offset}: its dead letter can't be stored in topic ${letters}: ${why}`;

  /** At least one try, also where the partition is just being given up: that waits for what is in hand. */
  const bury = async (topic: string, item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    for (let tries = 0; tries === 0 || !abandoned(); tries += 1) {
      try {
        await store(broker, topic, deadLetterOf(name, item, clock.now()));
        return { action: "dropped" };
      } catch (error) {
        const fault = asGatewayError(error);
        observer.fault(name, fault);
        const why = HOPELESS[fault.code];
        if (why !== undefined) return { action: "stop", trace: traceOf(item, topic, why) };
      }
      await pause(clock, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 0);
    }
    return { action: "abandoned" };
  };

  return async (item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    const end: DropEnd =
      deadLetterTopic === undefined ? { action: "dropped" } : await bury(deadLetterTopic, item, abandoned);
    if (end.action === "dropped") observer.dropped(name, item.record, deadLetterTopic !== undefined);
    return end;
  };
};

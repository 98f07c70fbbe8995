/** Dead letters: dropped records, unchanged, with headers that say where they came from and why they were dropped. */
import type { Broker, BrokerRecord, ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { asGatewayError, GatewayError, type ErrorCode } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import type { DeliveryPlan, LetterForm } from "./delivery-plan.ts";
import type { Item } from "./claims.ts";
import type { DeliveryObserver } from "./observer.ts";

/** Headers that the gateway adds to a dead letter. */
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

/** The record that this connector dropped. undefined: `letter` is no dead letter of this connector. */
export const originalOf = <R extends ConsumedRecord>(letter: R, connector: string): R | undefined => {
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
  /** Status of the last attempt. null: the attempt got no answer. */
  readonly status: number | null;
  readonly error: string | null;
}

/** Why the record was dropped. */
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

/** The gateway's own form. */
const OWN_FORM: LetterForm = {
  headersOf: ({ topic, partition, offset, headers }, { connector, attempts, status, error }) => {
    const names = DEAD_LETTER_HEADERS;
    return [
      ...headers.filter(({ name }) => !OURS.has(name)),
      header(names.connector, connector),
      header(names.topic, topic),
      header(names.partition, String(partition)),
      header(names.offset, String(offset)),
      header(names.attempts, String(attempts)),
      header(names.status, status === undefined ? "" : String(status)),
      header(names.error, error),
    ];
  },
  originalOf,
};

export const letterFormOf = ({
  deadLetterForm = OWN_FORM,
}: Pick<DeliveryPlan, "deadLetterForm">): LetterForm => deadLetterForm;

/** If a replayed dead letter is dropped again, its headers name the original topic, partition and offset. */
const deadLetterOf = (plan: DeliveryPlan, item: Item, now: number): BrokerRecord => {
  const { attempts, lastStatus, lastError, stage = "TASK_PUT" } = item;
  const form = letterFormOf(plan);
  const record = form.originalOf(item.record, plan.name) ?? item.record;
  const error = cut(lastError ?? `HTTP status ${String(lastStatus)}`);
  return {
    key: record.key,
    value: record.value,
    timestamp: now,
    headers: form.headersOf(record, { connector: plan.name, stage, attempts, status: lastStatus, error }),
  };
};

const store = async (
  broker: Broker,
  plan: DeliveryPlan,
  topic: string,
  letter: BrokerRecord,
): Promise<void> => {
  let [outcome] = await broker.append(topic, [letter]);
  if (outcome?.status === "failed" && outcome.error.code === "STATION_UNKNOWN") {
    await broker.ensureTopic({ name: topic, ...letterFormOf(plan).creation });
    [outcome] = await broker.append(topic, [letter]);
  }
  if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("BROKER_UNAVAILABLE");
};

/** Errors that a retry can't solve, and what the operator can do. */
const PERMANENT: Partial<Record<ErrorCode, string>> = {
  RECORD_TOO_LARGE: "it is larger than the topic takes; raise the topic's max.message.bytes",
  RECORD_REFUSED: "the topic does not take its key or its timestamp",
  TOPIC_REFUSED:
    "Kafka refuses the topic to the gateway; grant the rights to write and create it, or correct its name",
};

/** Waits between tries to store a dead letter, in milliseconds. The last wait repeats. */
const AGAIN_MS = [250, 500, 1000, 2000, 5000];

export interface DroppingOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
}

/**
 * `abandoned`: the partition was revoked, so its next owner must handle the record. `stop`: the dead letter can't be
 * stored until an operator acts.
 */
export type DropEnd =
  | { readonly action: "dropped" }
  | { readonly action: "abandoned" }
  | { readonly action: "stop"; readonly trace: string };

/**
 * Drops records. With a dead letter topic, a record counts as dropped only after its dead letter is stored. Storing is
 * tried again until it succeeds, is refused permanently, or the partition is revoked. A missing topic is created.
 */
export const createDropping = ({ broker, plan, clock, observer }: DroppingOptions) => {
  const { name, deadLetterTopic } = plan;

  const traceOf = ({ record: { topic, partition, offset } }: Item, letters: string, why: string): string =>
    `Delivery stopped at ${topic}-${partition}@${offset}: its dead letter can't be stored in topic ${letters}: ${why}`;

  /** Makes at least one try, even if the partition is being revoked: the revocation waits for records in hand. */
  const storeDeadLetter = async (topic: string, item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    for (let tries = 0; tries === 0 || !abandoned(); tries += 1) {
      try {
        await store(broker, plan, topic, deadLetterOf(plan, item, clock.now()));
        return { action: "dropped" };
      } catch (error) {
        const fault = asGatewayError(error);
        observer.fault(name, fault);
        const why = PERMANENT[fault.code];
        if (why !== undefined) return { action: "stop", trace: traceOf(item, topic, why) };
      }
      await pause(clock, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 0);
    }
    return { action: "abandoned" };
  };

  return async (item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    const end: DropEnd =
      deadLetterTopic === undefined
        ? { action: "dropped" }
        : await storeDeadLetter(deadLetterTopic, item, abandoned);
    if (end.action === "dropped") observer.dropped(name, item.record, deadLetterTopic !== undefined);
    return end;
  };
};

/** Dead letters: dropped records, unchanged, with headers that say where they came from and why they were dropped. */
import type { BrokerRecord, ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { cut } from "../../lib/text.ts";
import { positionOf } from "./batches/batch.ts";
import type { DeliveryPlan, LetterForm } from "./delivery-plan.ts";
import type { Item } from "./claims.ts";
import { type StoringOptions, storeUntilDone } from "./storing.ts";

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
export const createDropping = (options: StoringOptions) => {
  const { plan, clock, observer } = options;
  const { name, deadLetterTopic, hasLettersOfDeliveries = true } = plan;

  const lettersOf = ({ stage = "TASK_PUT" }: Item): string | undefined =>
    hasLettersOfDeliveries || stage !== "TASK_PUT" ? deadLetterTopic : undefined;

  const storeLetter = async (topic: string, item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    const spec = { name: topic, ...letterFormOf(plan).creation };
    const end = await storeUntilDone(options, spec, () => [deadLetterOf(plan, item, clock.now())], abandoned);
    if (end.action === "stored") return { action: "dropped" };
    if (end.action === "abandoned") return end;
    const trace = `Delivery stopped at ${positionOf(item)}: its dead letter can't be stored in topic ${topic}: ${end.why}`;
    return { action: "stop", trace };
  };

  return async (item: Item, abandoned: () => boolean): Promise<DropEnd> => {
    const topic = lettersOf(item);
    const end: DropEnd =
      topic === undefined ? { action: "dropped" } : await storeLetter(topic, item, abandoned);
    if (end.action === "dropped") observer.dropped(name, item.record, topic !== undefined);
    return end;
  };
};

/** An event as filters and transforms see it. */
import type { ConsumedRecord } from "../../broker/broker.ts";

/** The names of the variables. */
export interface Event {
  /** The JSON of the value. null: the value is null or no JSON. */
  readonly data: unknown;
  readonly topic: string;
  /** null: the record has no key. */
  readonly key: string | null;
  readonly partition: number;
  readonly offset: bigint;
  /** The names are in lower case. Of headers with the same name, the last one counts. */
  readonly headers: Readonly<Record<string, string>>;
  readonly time: Date;
  /** null: the event has no type. */
  readonly eventType: string | null;
}

const EVENT_TYPE = "x-event-type";

const jsonOf = (value: Buffer | null): unknown => {
  if (value === null) return null;
  try {
    return JSON.parse(value.toString("utf8")) as unknown;
  } catch {
    return null;
  }
};

const headersOf = ({ headers }: ConsumedRecord): Record<string, string> => {
  const found = Object.create(null) as Record<string, string>;
  for (const { name, value } of headers) found[name.toLowerCase()] = value?.toString("utf8") ?? "";
  return found;
};

/** Parses the record's parts when they are first used, and each part only once. */
class RecordEvent implements Event {
  readonly #record: ConsumedRecord;
  #json: { readonly data: unknown } | undefined;
  #headers: Record<string, string> | undefined;

  constructor(record: ConsumedRecord) {
    this.#record = record;
  }

  get data(): unknown {
    return (this.#json ??= { data: jsonOf(this.#record.value) }).data;
  }
  get topic(): string {
    return this.#record.topic;
  }
  get key(): string | null {
    return this.#record.key?.toString("utf8") ?? null;
  }
  get partition(): number {
    return this.#record.partition;
  }
  get offset(): bigint {
    return this.#record.offset;
  }
  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??= headersOf(this.#record));
  }
  get time(): Date {
    return new Date(this.#record.timestamp);
  }
  /** Where no setting says otherwise, the header `x-event-type` has the type. */
  get eventType(): string | null {
    return this.headers[EVENT_TYPE] ?? null;
  }
}

export const eventOf = (record: ConsumedRecord): Event => new RecordEvent(record);

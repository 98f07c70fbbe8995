/** Business events as the Anchor Platform writes them to its topic, read from records. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { cut } from "../../lib/cut.ts";
import { membersOf } from "../../lib/json-members.ts";
import { skipSpace } from "../../lib/json-scan.ts";

type Subject = "transaction" | "quote" | "customer";

/** What each type of event is about: the member that holds it. */
const SUBJECTS: ReadonlyMap<string, Subject> = new Map([
  ["transaction_created", "transaction"],
  ["transaction_status_changed", "transaction"],
  ["transaction_error", "transaction"],
  ["quote_created", "quote"],
  ["customer_updated", "customer"],
]);

export interface BusinessEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: Subject;
  /** JSON of the subject, in the event's own bytes. */
  readonly source: string;
  /** Id of the transaction, quote or customer: events of one are delivered in their order. */
  readonly subjectId: string | undefined;
  /** Number of the SEP that the event belongs to. */
  readonly sep: string | undefined;
  /** Whose transaction it is, where it says so. */
  readonly clientName: string | undefined;
  readonly clientDomain: string | undefined;
}

/** A record that is no event, and why. */
export interface BrokenEvent {
  readonly broken: string;
}

export type ReadEvent = (record: ConsumedRecord) => BusinessEvent | BrokenEvent;

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: unknown): string | undefined =>
  (typeof value === "string" && value !== "") || typeof value === "number" ? String(value) : undefined;

/** `24`, `sep24` and `SEP_24` are all the same. */
const sepOf = (value: unknown): string | undefined => /\d+$/.exec(textOf(value) ?? "")?.[0];

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const headerOf = ({ headers }: ConsumedRecord, wanted: string): string | undefined =>
  headers.find(({ name }) => name === wanted)?.value?.toString();

/** What an event tells of its subject. */
const detailsOf = (event: Members, about: Members) => ({
  subjectId: textOf(about["id"]),
  sep: sepOf(event["sep"]) ?? sepOf(about["sep"]),
  clientName: textOf(about["client_name"]),
  clientDomain: textOf(about["client_domain"])?.toLowerCase(),
});

/** The text that stands for a member's value: what is passed on keeps its own notation of numbers. */
const sourceOf = (json: Buffer, member: string): string => {
  const [span] = membersOf(json, skipSpace(json, 0), [member]).spans;
  return json.toString("utf8", span?.at ?? 0, span?.end ?? 0);
};

const eventOf = (record: ConsumedRecord, json: Buffer, event: Members): BusinessEvent | BrokenEvent => {
  const type = textOf(event["type"]) ?? headerOf(record, "type") ?? "";
  const subject = SUBJECTS.get(type);
  if (subject === undefined)
    return { broken: type === "" ? "event without type" : `unknown event type ${cut(type, 100)}` };
  const id = textOf(event["id"]) ?? record.key?.toString();
  if (id === undefined) return { broken: "event without id" };
  const about = event[subject];
  if (!isObject(about)) return { broken: `event without ${subject}` };
  return { id, type, subject, source: sourceOf(json, subject), ...detailsOf(event, about) };
};

const read = (record: ConsumedRecord): BusinessEvent | BrokenEvent => {
  if (record.value === null || record.value.length === 0) return { broken: "empty value" };
  const event = parse(record.value.toString());
  return isObject(event) ? eventOf(record, record.value, event) : { broken: "value is no JSON object" };
};

/**
 * Reads each record once, however many clients ask about it and however often. `onBroken` is told of a record that is
 * no event when it is first read.
 */
export const createEventReader = (
  onBroken: (record: ConsumedRecord, reason: string) => void = () => undefined,
): ReadEvent => {
  const known = new WeakMap<ConsumedRecord, BusinessEvent | BrokenEvent>();
  return (record) => {
    const before = known.get(record);
    if (before !== undefined) return before;
    const event = read(record);
    known.set(record, event);
    if ("broken" in event) onBroken(record, event.broken);
    return event;
  };
};

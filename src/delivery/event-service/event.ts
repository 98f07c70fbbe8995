/** Reads business events of the Anchor Platform from records. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { cut } from "../../lib/text.ts";
import { excessOf, skipSpace } from "../../lib/json-scan.ts";
import { isJsonObject, jsonTreeAt, type JsonObject, type JsonTree } from "./json-tree.ts";

type Subject = "transaction" | "quote" | "customer";

/** The member of the event that holds its object, by event type. */
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
  /** The object of the event: its members in the event's order, without null members. */
  readonly content: JsonObject;
  /** Id of the transaction, quote or customer. Events with the same id are delivered in order. */
  readonly subjectId: string | undefined;
  /** Number of the SEP. */
  readonly sep: string | undefined;
  /** Members that name the transaction's client. The domain is in lower case. */
  readonly clientName: string | undefined;
  readonly clientDomain: string | undefined;
  readonly creatorAccount: string | undefined;
}

/** The record is not a valid event; `broken` says why. */
export interface BrokenEvent {
  readonly broken: string;
}

export type ReadEvent = (record: ConsumedRecord) => BusinessEvent | BrokenEvent;

const textOf = (tree: JsonTree | undefined): string | undefined => {
  const text = typeof tree === "object" && "source" in tree ? tree.source : tree;
  return typeof text === "string" && text !== "" ? text : undefined;
};

/** Accepts `24`, `sep24` and `SEP_24`. */
const sepOf = (tree: JsonTree | undefined): string | undefined => /\d+$/.exec(textOf(tree) ?? "")?.[0];

/** Limits far above any event of the Anchor Platform. Parsing costs the length of the text for each level of nesting. */
const BOUNDS = { depth: 100, values: 100_000, members: 100_000 };

const EXCESS = {
  depth: "value is nested too deep",
  values: "value has too many values",
  members: "value has too many members",
} as const;

const parse = (json: Buffer): JsonTree | undefined => {
  try {
    JSON.parse(json.toString());
  } catch {
    return undefined;
  }
  return jsonTreeAt(json, skipSpace(json, 0));
};

const headerOf = ({ headers }: ConsumedRecord, wanted: string): string | undefined =>
  headers.find(({ name }) => name === wanted)?.value?.toString();

const detailsOf = (content: JsonObject) => {
  const creator = content.get("creator");
  return {
    subjectId: textOf(content.get("id")),
    sep: sepOf(content.get("sep")),
    clientName: textOf(content.get("client_name")),
    clientDomain: textOf(content.get("client_domain"))?.toLowerCase(),
    creatorAccount: isJsonObject(creator) ? textOf(creator.get("account")) : undefined,
  };
};

const eventOf = (record: ConsumedRecord, event: JsonObject): BusinessEvent | BrokenEvent => {
  const type = textOf(event.get("type")) ?? headerOf(record, "type") ?? "";
  const subject = SUBJECTS.get(type);
  if (subject === undefined)
    return { broken: type === "" ? "event without type" : `unknown event type ${cut(type, 100)}` };
  const id = textOf(event.get("id")) ?? record.key?.toString();
  if (id === undefined) return { broken: "event without id" };
  const content = event.get(subject);
  if (!isJsonObject(content)) return { broken: `event without ${subject}` };
  return { id, type, subject, content, ...detailsOf(content) };
};

const read = (record: ConsumedRecord): BusinessEvent | BrokenEvent => {
  if (record.value === null || record.value.length === 0) return { broken: "empty value" };
  const excess = excessOf(record.value, BOUNDS);
  if (excess !== undefined) return { broken: EXCESS[excess] };
  const event = parse(record.value);
  return isJsonObject(event) ? eventOf(record, event) : { broken: "value is not a JSON object" };
};

export interface EventReaderOptions {
  /** Called when a record that is not a valid event is read for the first time. */
  readonly onBroken?: (record: ConsumedRecord, reason: string) => void;
  /** Called when an event is read for the first time. */
  readonly onEvent?: (event: BusinessEvent) => void;
}

/** Parses each record only once, for all clients and attempts. */
export const createEventReader = ({ onBroken, onEvent }: EventReaderOptions = {}): ReadEvent => {
  const known = new WeakMap<ConsumedRecord, BusinessEvent | BrokenEvent>();
  return (record) => {
    const before = known.get(record);
    if (before !== undefined) return before;
    const event = read(record);
    known.set(record, event);
    if ("broken" in event) onBroken?.(record, event.broken);
    else onEvent?.(event);
    return event;
  };
};

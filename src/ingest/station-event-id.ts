/** The ids that a station's own events have: `once.id` of the station says where they are. */
import type { RecordHeader } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import { followPointer, isNumberStart, QUOTE, stringAt, valueAt } from "../lib/json-scan.ts";

interface WithHeaders {
  readonly headers: readonly RecordHeader[];
}

/**
 * Returns the id of an event. `value` is the event as JSON; null: it is not JSON, or a tombstone. Equal texts are equal ids; the
 * string "1" and the number 1 are different ids, as are ids of different places. Throws EVENT_ID_REFUSED for an event
 * without an id, with an empty one, or with one that is neither a string nor a number.
 */
export type ReadEventId = (event: WithHeaders, value: Buffer | null) => string;

const HEADER = "header:";

/** `id`: a JSON pointer, `header:<name>` or `cloudevents`, as the settings allow them. */
export const createReadEventId = (id: string): ReadEventId => {
  const read = readerOf(id);
  // The length makes the end of the place unmistakable.
  const place = `${id.length}:${id} `;
  return (event, value) => place + read(event, value);
};

const readerOf = (id: string): ReadEventId => {
  if (id.startsWith("/")) return inJson(id);
  if (id.startsWith(HEADER)) return inHeader(id.slice(HEADER.length));
  return cloudEventId;
};

/** A number counts by its source digits: parsing would make different large numbers equal. */
const inJson = (pointer: string): ReadEventId => {
  const follow = followPointer(pointer);
  return (_, value) => {
    const at = value === null ? -1 : follow(value);
    if (value === null || at < 0) throw refused(`the event has no ${pointer}`);
    const first = value[at] ?? 0;
    if (first === QUOTE) return `s${filled(stringAt(value, at), `${pointer} of the event`)}`;
    if (isNumberStart(first)) return `n${valueAt(value, at).toString("latin1")}`;
    throw refused(`${pointer} of the event is neither a string nor a number`);
  };
};

const inHeader = (name: string): ReadEventId => {
  const wanted = name.toLowerCase();
  // The gateway stores the header ce-id of a request as ce_id.
  const stored = wanted.startsWith("ce-") ? `ce_${wanted.slice(3)}` : wanted;
  return (event) => headerOf(event, stored, name);
};

/** CloudEvents 1.0: `source` and `id` together identify an event. Both modes store the attributes as headers. */
const cloudEventId: ReadEventId = (event) => {
  const source = headerOf(event, "ce_source", "ce-source");
  return `${source.length}:${source} ${headerOf(event, "ce_id", "ce-id")}`;
};

/** The first header with this name. latin1 keeps different bytes different. */
const headerOf = ({ headers }: WithHeaders, stored: string, name: string): string => {
  const found = headers.find((header) => header.name === stored || header.name.toLowerCase() === stored);
  if (found === undefined || found.value === null) throw refused(`the event has no header ${name}`);
  return filled(found.value.toString("latin1"), `the header ${name}`);
};

/** Events with an empty id are probably different events. */
const filled = (id: string, where: string): string => {
  if (id === "") throw refused(`${where} is empty`);
  return id;
};

const refused = (what: string): GatewayError =>
  new GatewayError("EVENT_ID_REFUSED", { message: `The station needs an id of each event, but ${what}` });

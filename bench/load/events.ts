/** The events of the benchmarks: JSON of 256 bytes, the size in the figures of the compared programs. */

const EVENT_BYTES = 256;

const withFiller = (fields: object): string => {
  const empty = JSON.stringify({ ...fields, note: "" });
  return JSON.stringify({ ...fields, note: "x".repeat(EVENT_BYTES - empty.length) });
};

export const EVENT = withFiller({ id: 4711, type: "order.created", amount: 129.9, currency: "EUR" });

/** An event of a key. `n` is its position among the events of the key. */
export const keyedEvent = (key: string, n: number): string => withFiller({ key, n });

const times = (count: number, text: string): string => new Array<string>(count).fill(text).join(",");

export const batchBody = (count: number): string => `[${times(count, EVENT)}]`;

/** REST Proxy v2. */
export const v2Body = (count: number): string => `{"records":[${times(count, `{"value":${EVENT}}`)}]}`;

const V3_VALUE = `"value":{"type":"JSON","data":${EVENT}}`;

/** One record of a REST Proxy v3 stream. */
export const V3_RECORD = `{${V3_VALUE}}`;

/** REST Proxy v3, `records:batch`. */
export const v3BatchBody = (count: number): string =>
  `{"entries":[${Array.from({ length: count }, (_, id) => `{"id":"${id}",${V3_VALUE}}`).join(",")}]}`;

/** The events of the benchmarks: JSON of 256 bytes, the size in the figures of the compared programs. */

const EVENT_BYTES = 256;

const withFiller = (fields: object): string => {
  const empty = JSON.stringify({ ...fields, note: "" });
  return JSON.stringify({ ...fields, note: "x".repeat(EVENT_BYTES - empty.length) });
};

export const EVENT = withFiller({ id: 4711, type: "order.created", amount: 129.9, currency: "EUR" });

/** The load tool puts a new number at the place of the hash signs into each event. Only wrk does this. */
export const EVENT_WITH_ID = withFiller({ id: "############", type: "order.created", amount: 129.9 });

/** An event of a key. `n` is its position among the events of the key. */
export const keyedEvent = (key: string, n: number): string => withFiller({ key, n });

const times = (count: number, text: string): string => new Array<string>(count).fill(text).join(",");

export const batchBody = (count: number, event = EVENT): string => `[${times(count, event)}]`;

/** REST Proxy v2. */
export const v2Body = (count: number): string => `{"records":[${times(count, `{"value":${EVENT}}`)}]}`;

const V3_VALUE = `"value":{"type":"JSON","data":${EVENT}}`;

/** One record of a REST Proxy v3 stream. */
export const V3_RECORD = `{${V3_VALUE}}`;

/** REST Proxy v3, `records:batch`. */
export const v3BatchBody = (count: number): string =>
  `{"entries":[${Array.from({ length: count }, (_, id) => `{"id":"${id}",${V3_VALUE}}`).join(",")}]}`;

/** An event of eight fields and about 270 bytes, and its Avro schema. */
export const ORDER = JSON.stringify({
  orderId: "order-000004711",
  customer: 9_007_199_254_740_991,
  total: 129.95,
  state: "PAID",
  note: { string: "leave it at the door, please" },
  gift: true,
  lines: [
    { sku: "article-1", quantity: 2, price: 9.99 },
    { sku: "article-2", quantity: -1, price: 109.97 },
  ],
  tags: { channel: "web" },
});

export const ORDER_SCHEMA = JSON.stringify({
  type: "record",
  name: "Order",
  namespace: "shop",
  fields: [
    { name: "orderId", type: "string" },
    { name: "customer", type: "long" },
    { name: "total", type: "double" },
    { name: "state", type: { type: "enum", name: "State", symbols: ["NEW", "PAID"] } },
    { name: "note", type: ["null", "string"] },
    { name: "gift", type: "boolean" },
    {
      name: "lines",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "Line",
          fields: [
            { name: "sku", type: "string" },
            { name: "quantity", type: "int" },
            { name: "price", type: "double" },
          ],
        },
      },
    },
    { name: "tags", type: { type: "map", values: "string" } },
  ],
});

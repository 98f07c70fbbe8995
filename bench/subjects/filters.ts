/** Evaluations of filters in one thread, without delivery. Each event is parsed once and meets several filters, as with subscriptions. */
import { performance } from "node:perf_hooks";
import { eventOf } from "../../src/delivery/expressions/event.ts";
import { compileFilter, type Filter } from "../../src/delivery/expressions/filter/filter.ts";
import type { Measurement, Subject } from "../measurement.ts";

const FILTERS = [
  "data.amount > 100",
  'eventType == "order.paid" && data.customer.country in ["DE", "CH"]',
  'data.items.exists(item, item.sku.startsWith("book-"))',
  'data.customer.email.matches("(?i)@example\\\\.com$")',
  'headers["x-tenant"] == "t-1" || has(data.absent)',
];
const EVENTS_PER_LOOK = 100;

const VALUE = Buffer.from(
  JSON.stringify({
    amount: 150,
    customer: { country: "CH", email: "a@example.com" },
    items: [{ sku: "pen-1" }, { sku: "book-7" }],
    note: "x".repeat(300),
  }),
);

const compiled = (text: string): Filter => {
  const result = compileFilter(text);
  if ("reason" in result) throw new TypeError(`${text}: ${result.reason}`);
  return result.filter;
};

const record = {
  ...{ topic: "orders", partition: 0, key: null, value: VALUE, timestamp: 1_700_000_000_000 },
  headers: [
    { name: "x-event-type", value: Buffer.from("order.paid") },
    { name: "x-tenant", value: Buffer.from("t-1") },
  ],
};

const measure = (seconds: number): Measurement => {
  const filters = FILTERS.map(compiled);
  const begun = performance.now();
  const end = begun + seconds * 1000;
  let offset = 0n;
  let matches = 0;
  while (performance.now() < end) {
    for (let count = 0; count < EVENTS_PER_LOOK; count += 1) {
      const event = eventOf({ ...record, offset: offset++ });
      for (const filter of filters) if (filter(event) === "match") matches += 1;
    }
  }
  const evaluations = Number(offset) * filters.length;
  return {
    eventsPerSecond: evaluations / ((performance.now() - begun) / 1000),
    faults: matches === evaluations ? [] : [`${evaluations - matches} evaluations had another outcome`],
  };
};

/** `eventsPerSecond` are evaluations. */
export const filterSubjects = (): readonly Subject[] => [
  { name: "filters", measure: (seconds) => Promise.resolve(measure(seconds)) },
];

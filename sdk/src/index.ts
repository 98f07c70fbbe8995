/** `@stationgate/browser`: events from web pages to a Stationgate, stored at least once and in order. */
export { createProducer } from "./producer.ts";
export type { Outcome, Producer, ProducerOptions, Refused } from "./types.ts";

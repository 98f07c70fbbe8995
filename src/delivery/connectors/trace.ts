/** The ids of a record's requests: the same on every retry, and after a restart. */
import { createHash } from "node:crypto";
import type { ConsumedRecord } from "../../broker/broker.ts";

const HEADER = "x-b3-traceid";
/** What an HTTP field value can carry without being changed on the way. */
const PLAIN = /^[\x21-\x7e]{1,256}$/;

/** md5 of connector, topic, partition and offset, in hex: names a record, keeps no secret. */
export const recordDigest = (connector: string, record: ConsumedRecord): string =>
  createHash("md5").update(`${connector}${record.topic}${record.partition}${record.offset}`).digest("hex");

/** The record's own `X-B3-TraceId` where it has one that can be sent, else the first half of its digest. */
export const traceId = (record: ConsumedRecord, digest: string): string => {
  const own = record.headers.find(({ name }) => name.toLowerCase() === HEADER)?.value?.toString("latin1");
  return own !== undefined && PLAIN.test(own) ? own : digest.slice(0, 16);
};

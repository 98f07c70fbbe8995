/** The first record and the end of a partition, and which offsets can be read between them. */
import type { Watermarks } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";

/** Throws PARTITION_UNKNOWN. */
export const ofPartition = <T extends { readonly partition: number }>(
  all: readonly T[],
  partition: number,
): T => {
  const found = all.find((one) => one.partition === partition);
  if (found === undefined) throw new GatewayError("PARTITION_UNKNOWN");
  return found;
};

/** The offset of the first record, or the offset after the last one. */
export const endOf = ({ low, high }: Watermarks, end: "earliest" | "latest"): bigint =>
  end === "earliest" ? low : high;

/** Below the first record: the first record. undefined: the offset is beyond the end. */
export const withinLog = ({ low, high }: Watermarks, offset: bigint): bigint | undefined => {
  if (offset < low) return low;
  return offset <= high ? offset : undefined;
};

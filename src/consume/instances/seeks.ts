/** The operations that set positions. */
import { GatewayError } from "../../errors.ts";
import { type Context, DONE, type Run } from "./context.ts";
import type { Cursor } from "./cursor.ts";
import { ASSIGNMENT_MS, type NamedPartition } from "./requests.ts";

/** The instance's own cursors, whose positions are known. Rejects with INSTANCE_CONFLICT or BROKER_UNAVAILABLE. */
export const ownCursors = async <T extends NamedPartition>(
  { group, instance, signal, options }: Context,
  partitions: readonly T[],
): Promise<readonly { readonly cursor: Cursor; readonly given: T }[]> => {
  instance.requireReading();
  await group.settled(instance, signal, options.clock.now() + ASSIGNMENT_MS);
  const own = partitions.map((given) => ({ cursor: instance.cursorOf(given), given }));
  await Promise.all(own.map(({ cursor }) => cursor.begin()));
  return own;
};

export const seek: Run<"seek"> = async (context, { offsets, timestamps }) => {
  const { options, group, instance } = context;
  const byOffset = await ownCursors(context, offsets);
  const byTime = await ownCursors(context, timestamps);
  const positions = [
    ...byOffset.map(({ cursor, given }) => ({ cursor, offset: BigInt(given.offset) })),
    ...(await Promise.all(
      byTime.map(async ({ cursor, given }) => ({
        cursor,
        offset: offsetIn(await options.broker.offsetsAt(given.topic, given.timestamp), given),
      })),
    )),
  ];
  await group.seek(instance, await withinLog(context, positions));
  return DONE;
};

/** Below the first record the position is the first record; beyond the end `auto.offset.reset` applies. */
const withinLog = async (
  { options, instance }: Context,
  positions: readonly { readonly cursor: Cursor; readonly offset: bigint }[],
) => {
  const topics = [...new Set(positions.map(({ cursor }) => cursor.of.topic))];
  const marks = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await options.broker.watermarks(topic)] as const)),
  );
  return positions.map(({ cursor, offset }) => {
    const { low, high } = markIn(marks.get(cursor.of.topic) ?? [], cursor.of);
    if (offset < low) return { cursor, offset: low };
    if (offset <= high) return { cursor, offset };
    return { cursor, offset: instance.settings.reset === "earliest" ? low : high };
  });
};

const markIn = <T extends { readonly partition: number }>(
  marks: readonly T[],
  { partition }: NamedPartition,
): T => {
  const mark = marks.find((one) => one.partition === partition);
  if (mark === undefined) throw new GatewayError("PARTITION_UNKNOWN");
  return mark;
};

const offsetIn = (
  offsets: readonly { readonly partition: number; readonly offset: bigint }[],
  partition: NamedPartition,
): bigint => markIn(offsets, partition).offset;

export const seekToMark =
  (side: "low" | "high"): Run<"beginning" | "end"> =>
  async (context, { partitions }) => {
    const own = await ownCursors(context, partitions);
    const positions = await Promise.all(
      own.map(async ({ cursor, given }) => ({
        cursor,
        offset: markIn(await context.options.broker.watermarks(given.topic), given)[side],
      })),
    );
    await context.group.seek(context.instance, positions);
    return DONE;
  };

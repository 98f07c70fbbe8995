/** The operations that set positions. */
import type { Watermarks } from "../../broker/broker.ts";
import { endOf, ofPartition, withinLog } from "../marks.ts";
import { shared } from "../../lib/single-flight.ts";
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
  const { group, instance } = context;
  const byOffset = await ownCursors(context, offsets);
  const byTime = await ownCursors(context, timestamps);
  const offsetsAt = createOffsetsAt(context);
  const positions = [
    ...byOffset.map(({ cursor, given }) => ({ cursor, offset: BigInt(given.offset) })),
    ...(await Promise.all(
      byTime.map(async ({ cursor, given }) => ({ cursor, offset: await offsetsAt(given) })),
    )),
  ];
  const markOf = createMarks(context);
  const readable = positions.map(async ({ cursor, offset }) => {
    const mark = await markOf(cursor.of);
    return { cursor, offset: withinLog(mark, offset) ?? endOf(mark, instance.settings.reset) };
  });
  await group.seek(instance, await Promise.all(readable));
  return DONE;
};

/** Partitions of one topic share a request. */
const createMarks = ({ options: { broker } }: Context) => {
  const marksOf = shared((topic) => broker.watermarks(topic));
  return async ({ topic, partition }: NamedPartition): Promise<Watermarks> =>
    ofPartition(await marksOf(topic), partition);
};

/** Partitions of one topic with the same time share a request. */
const createOffsetsAt = ({ options: { broker } }: Context) => {
  const ofTime = shared((key) => {
    const [timestamp = "", topic = ""] = key.split(" ");
    return broker.offsetsAt(topic, Number(timestamp));
  });
  return async ({ topic, partition, timestamp }: NamedPartition & { readonly timestamp: number }) =>
    ofPartition(await ofTime(`${timestamp} ${topic}`), partition).offset;
};

export const seekToMark =
  (end: "earliest" | "latest"): Run<"beginning" | "end"> =>
  async (context, { partitions }) => {
    const markOf = createMarks(context);
    const own = await ownCursors(context, partitions);
    const positions = own.map(async ({ cursor, given }) => ({
      cursor,
      offset: endOf(await markOf(given), end),
    }));
    await context.group.seek(context.instance, await Promise.all(positions));
    return DONE;
  };

/** What each call of an instance does in the home. */
import { GatewayError } from "../../errors.ts";
import type { PeerAnswer } from "../../home/peers/peers.ts";
import { EVENTS_HEADER } from "../batch.ts";
import { answer, type Context, DONE, type OperationOptions, type Run } from "./context.ts";
import type { Cursor } from "./cursor.ts";
import { conflict, type Instance } from "./instance.ts";
import { fetchAll, recordsJson, takeRecords, untilReadable } from "./read.ts";
import { type AcceptedType, ASSIGNMENT_MS, type NamedPartition, type Operation } from "./requests.ts";
import { ownCursors, seek, seekToMark } from "./seeks.ts";
import type { Subscription } from "./stored.ts";

/** Milliseconds that the automatic commit of a read may take. What it has not committed, a later call commits. */
const AUTO_COMMIT_MS = 2000;

const commitDue = async ({ group, instance, signal }: Context): Promise<void> => {
  await instance.answered();
  if (!instance.settings.autoCommit) return;
  await group.commit(instance, instance.due(), signal, AUTO_COMMIT_MS).catch((error: unknown) => {
    if (!(error instanceof GatewayError)) throw error;
  });
};

const subscribe: Run<"subscribe"> = async (context, { topics, pattern }) => {
  const { group, instance, readable, options } = context;
  if (instance.subscription.kind === "assigned")
    throw conflict(`The consumer instance ${instance.name} has an assignment: delete its subscription first`);
  if (pattern === undefined) {
    await commitDue(context);
    const named = topics ?? [];
    await group.subscribe(instance, named.length === 0 ? NONE : { kind: "topics", topics: named }, named);
    return DONE;
  }
  const subscription = { kind: "pattern", pattern, readable } as const;
  const matched = await options.matching(subscription);
  await commitDue(context);
  await group.subscribe(instance, subscription, matched);
  return DONE;
};

const NONE: Subscription = { kind: "none" };

const subscription: Run<"subscription"> = ({ instance }) => {
  const byTopic = new Map(instance.topics.map(({ name }) => [name, [] as number[]]));
  if (instance.subscription.kind !== "assigned")
    for (const { of } of instance.cursors.values()) byTopic.get(of.name)?.push(of.partition);
  return Promise.resolve(
    answer(200, {
      topics: [...byTopic.keys()],
      partitions: [...byTopic]
        .filter(([, partitions]) => partitions.length > 0)
        .map(([name, partitions]) => ({ [name]: partitions.sort((a, b) => a - b) })),
    }),
  );
};

const unsubscribe: Run<"unsubscribe"> = async (context) => {
  const { group, instance } = context;
  if (instance.subscription.kind === "none") return DONE;
  await commitDue(context);
  await group.subscribe(instance, NONE, []);
  return DONE;
};

const assign: Run<"assign"> = async (context, { partitions }) => {
  const { group, instance, options } = context;
  const { kind } = instance.subscription;
  if (kind === "topics" || kind === "pattern")
    throw conflict(`The consumer instance ${instance.name} has a subscription: delete it first`);
  await requireExisting(options, partitions);
  await commitDue(context);
  const unique = [...new Map(partitions.map((one) => [`${one.topic}/${one.partition}`, one])).values()];
  await group.subscribe(instance, unique.length === 0 ? NONE : { kind: "assigned", partitions: unique }, []);
  return DONE;
};

/** Rejects with PARTITION_UNKNOWN. */
const requireExisting = async (
  { broker }: OperationOptions,
  partitions: readonly NamedPartition[],
): Promise<void> => {
  const names = [...new Set(partitions.map(({ topic }) => topic))];
  const known = new Map(
    await Promise.all(
      names.map(async (topic): Promise<[string, number]> => [
        topic,
        (await broker.partitions(topic))?.length ?? 0,
      ]),
    ),
  );
  for (const { name, topic, partition } of partitions)
    if (partition >= (known.get(topic) ?? 0))
      throw new GatewayError("PARTITION_UNKNOWN", { message: `Topic ${name} has no partition ${partition}` });
};

const assignment: Run<"assignment"> = ({ instance }) => {
  const own =
    instance.subscription.kind === "assigned"
      ? instance.subscription.partitions
      : [...instance.cursors.values()].map(({ of }) => of);
  return Promise.resolve(
    answer(200, { partitions: own.map(({ name, partition }) => ({ topic: name, partition })) }),
  );
};

const records: Run<"records"> = async (context, { accept, timeoutMs, maxBytes = 0 }) => {
  const { instance, group, options, readable, signal } = context;
  const type = typeOf(accept, instance);
  instance.requireReading();
  instance.requireRight(readable);
  return instance.inTurn(async () => {
    signal.throwIfAborted();
    const { clock } = options;
    await group.settled(instance, signal, clock.now() + ASSIGNMENT_MS);
    await commitDue(context);
    const most = maxBytes > 0 ? Math.min(maxBytes, options.maxBytes) : options.maxBytes;
    const deadline = clock.now() + (timeoutMs ?? instance.settings.timeoutMs);
    for (;;) {
      await untilReadable({
        ...{ clock, deadline, signal, maxBytes: most },
        minBytes: instance.settings.minBytes,
        cursors: () => group.cursorsOf(instance),
        changed: () => instance.changed(),
      });
      signal.throwIfAborted();
      const cursors = group.cursorsOf(instance);
      if (cursors !== undefined) return handOut(context, cursors, { most, type });
    }
  });
};

const handOut = async (
  { group, instance, options }: Context,
  cursors: readonly Cursor[],
  { most, type }: { readonly most: number; readonly type: string },
): Promise<PeerAnswer> => {
  const taken = takeRecords(cursors, most);
  const count = taken.records.length;
  const onEnd = instance.answering();
  let isOpen = true;
  const ended = (sentWhole: boolean): void => {
    if (!isOpen) return;
    isOpen = false;
    taken.ended(sentWhole);
    onEnd();
    options.onAnswer(count, sentWhole);
  };
  // The next call finds records that were read meanwhile.
  const share = Math.floor(options.groupBuffer / group.instances.size);
  if (count > 0) fetchAll({ maxBytes: Math.min(most, share) }, cursors, 0);
  try {
    const body = await recordsJson(taken, instance.settings.format, options.decoder);
    return { status: 200, headers: { "Content-Type": type, [EVENTS_HEADER]: String(count) }, body, ended };
  } catch (error) {
    ended(false);
    throw error;
  }
};

/** Throws FORMAT_UNACCEPTABLE. */
const typeOf = (accept: readonly AcceptedType[], { settings: { format } }: Instance): string => {
  const found = accept.find((one) => one.format === undefined || one.format === format);
  if (found !== undefined) return found.type;
  throw new GatewayError("FORMAT_UNACCEPTABLE", {
    message: `The consumer instance has the format ${format}: accept application/vnd.kafka.${format}.v2+json`,
  });
};

const commit: Run<"commit"> = async (context, { offsets }) => {
  const { group, instance, signal } = context;
  instance.requireReading();
  await instance.answered();
  const commits =
    offsets === undefined
      ? instance.due()
      : (await ownCursors(context, offsets)).map(({ cursor, given }) => ({
          ...{ cursor, metadata: given.metadata },
          offset: BigInt(given.offset) + 1n,
        }));
  await group.commit(instance, commits, signal);
  return answer(200, []);
};

const committed: Run<"committed"> = async ({ group, options }, { partitions }) => {
  await requireExisting(options, partitions);
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const stored = new Map(
    await Promise.all(
      topics.map(async (topic) => [topic, await options.broker.committed(group.name, topic)] as const),
    ),
  );
  const offsets = partitions.flatMap(({ name, topic, partition }) => {
    const found = stored.get(topic)?.find((one) => one.partition === partition);
    if (found === undefined) return [];
    return [{ topic: name, partition, offset: Number(found.offset), metadata: found.metadata ?? "" }];
  });
  return answer(200, { offsets });
};

const remove: Run<"delete"> = async (context) => {
  const { group, instance } = context;
  await commitDue(context);
  await group.remove(instance);
  return DONE;
};

export const OPERATIONS: { readonly [O in Exclude<Operation, "create">]: Run<O> } = {
  delete: remove,
  subscribe,
  subscription,
  unsubscribe,
  assign,
  assignment,
  seek,
  beginning: seekToMark("earliest"),
  end: seekToMark("latest"),
  records,
  commit,
  committed,
};

/** The answers of a coordinator, as bytes, and what they mean. */
import { type Connection, Reader, type ResponseParser, Writer } from "@platformatic/kafka";
import { createCommitted, fetchCommitted } from "../../../src/broker/kafka/committed-offsets.ts";
import { createCoordinators } from "../../../src/broker/kafka/coordinators.ts";

interface Partition {
  readonly index: number;
  readonly offset?: bigint;
  readonly metadata?: string;
  readonly error?: number;
}

/** The coordinator's answer about topic `t`. `error`: an error of the group. */
interface Answer {
  readonly partitions: readonly Partition[];
  readonly error?: number;
  readonly topic?: string;
}

const UNKNOWN_TOPIC = 3;
const LOADING = 14;
const NOT_COORDINATOR = 16;
const TOPIC_UNAUTHORIZED = 29;
const UNSTABLE = 88;

const encoded = ({ partitions, error = 0, topic = "t" }: Answer): Buffer =>
  Writer.create()
    .appendInt32(0)
    .appendArray([{ group: "g" }], (writer, { group }) => {
      writer
        .appendString(group)
        .appendArray(partitions.length === 0 ? [] : [topic], (ofTopic, name) => {
          ofTopic.appendString(name).appendArray([...partitions], (ofPartition, one) => {
            ofPartition
              .appendInt32(one.index)
              .appendInt64(one.offset ?? -1n)
              .appendInt32(-1)
              .appendString(one.metadata ?? "")
              .appendInt16(one.error ?? 0);
          });
        })
        .appendInt16(error);
    })
    .appendTaggedFields().buffer;

type Sent = [
  key: number,
  version: number,
  payload: () => Writer,
  parse: ResponseParser<unknown>,
  requestTags: boolean,
  responseTags: boolean,
  callback: (error: Error | null, answer?: unknown) => void,
];

/** The topics that a request names (null: all of the group), and whether it waits for open transactions. */
const decoded = (request: Buffer) => {
  const reader = Reader.from(request);
  const groups = reader.readArray((of) => ({
    group: of.readString(),
    topics: of.readNullableArray((one) => ({
      name: one.readString(),
      partitions: one.readArray((index) => index.readInt32(), true, false),
    })),
  }));
  return { groups, isStable: reader.readBoolean() };
};

/** A connection that gives these answers, one for each request; the last one again and again. */
const connectionOf = (...answers: readonly Answer[]) => {
  const requests: ReturnType<typeof decoded>[] = [];
  const send = (...[key, version, payload, parse, , , callback]: Sent): void => {
    const answer = answers[requests.length] ?? answers.at(-1) ?? { partitions: [] };
    requests.push(decoded(payload().buffer));
    try {
      callback(null, parse(1, key, version, Reader.from(encoded(answer))));
    } catch (error) {
      callback(error as Error);
    }
  };
  return { connection: { send } as unknown as Connection, requests };
};

const NAMED = [0, 1].map((partition) => ({ topic: "t", partition }));

const requestOf = (partitions: readonly number[] | null) => ({
  groups: [{ group: "g", topics: partitions && [{ name: "t", partitions }] }],
  isStable: true,
});

describe("committed offsets", () => {
  it("are those of the named partitions, without the ones that have none", async () => {
    const { connection, requests } = connectionOf({
      partitions: [
        { index: 1, offset: 7n, metadata: "m" },
        { index: 0, offset: -1n },
      ],
    });
    expect(await fetchCommitted(connection, "g", NAMED)).toEqual([
      { topic: "t", partition: 1, offset: 7n, metadata: "m" },
    ]);
    expect(requests).toEqual([requestOf([0, 1])]);
  });

  it.each<[what: string, answer: Answer]>([
    ["lacks a named partition", { partitions: [{ index: 0, offset: 7n }] }],
    ["lacks the topic", { partitions: [] }],
    ["is about another topic", { partitions: [{ index: 0 }, { index: 1 }], topic: "other" }],
  ])("are unknown if the answer %s", async (_, answer) => {
    const { connection } = connectionOf(answer);
    await expect(fetchCommitted(connection, "g", NAMED)).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
  });
});

/** `Broker.committed` with a topic of two partitions and a coordinator that gives these answers. */
const brokerOf = (
  answers: readonly Answer[],
  { partitions }: { readonly partitions: number | undefined } = { partitions: 2 },
) => {
  const { connection, requests } = connectionOf(...answers);
  let lookups = 0;
  const coordinators = createCoordinators(
    { requestTimeout: 600 },
    {
      coordinators: (groups) => {
        lookups += 1;
        return Promise.resolve(new Map(groups.map((group) => [group, { host: "h", port: 1 }])));
      },
    },
  );
  const committed = createCommitted({
    ask: (group, request) => coordinators.ask(group, () => request(connection)),
    partitionCount: () => Promise.resolve(partitions),
  });
  return { committed, requests, lookups: () => lookups };
};

const BOTH: Answer = {
  partitions: [
    { index: 0, offset: 5n },
    { index: 1, offset: 6n },
  ],
};

describe("the committed offsets of a topic", () => {
  it.each<[name: string, answer: Answer]>([
    ["NOT_COORDINATOR", { partitions: [], error: NOT_COORDINATOR }],
    ["COORDINATOR_LOAD_IN_PROGRESS", { partitions: [], error: LOADING }],
    [
      "UNSTABLE_OFFSET_COMMIT",
      {
        partitions: [
          { index: 0, offset: 5n },
          { index: 1, error: UNSTABLE },
        ],
      },
    ],
  ])("are asked for again after %s", async (_, answer) => {
    const { committed, requests, lookups } = brokerOf([answer, BOTH]);
    expect(await committed("g", "t")).toEqual([
      { topic: "t", partition: 0, offset: 5n },
      { topic: "t", partition: 1, offset: 6n },
    ]);
    expect(requests).toHaveLength(2);
    expect(lookups()).toBe(2);
  });

  it.each<[what: string, code: string, answer: Answer]>([
    ["a coordinator that stays busy", "BROKER_UNAVAILABLE", { partitions: [], error: LOADING }],
    [
      "an error of one partition",
      "BROKER_UNAVAILABLE",
      {
        partitions: [
          { index: 0, offset: 5n },
          { index: 1, error: UNKNOWN_TOPIC },
        ],
      },
    ],
    ["an answer without a partition", "BROKER_UNAVAILABLE", { partitions: [{ index: 0, offset: 5n }] }],
    [
      "missing rights",
      "TOPIC_REFUSED",
      { partitions: NAMED.map(({ partition }) => ({ index: partition, error: TOPIC_UNAUTHORIZED })) },
    ],
  ])("are an error, not missing: %s", async (_, code, answer) => {
    await expect(brokerOf([answer]).committed("g", "t")).rejects.toMatchObject({ code });
  });

  it("are those of the group if the metadata doesn't know the topic", async () => {
    const { committed, requests } = brokerOf([BOTH], { partitions: undefined });
    expect(await committed("g", "t")).toMatchObject([{ offset: 5n }, { offset: 6n }]);
    expect(await committed("g", "another")).toEqual([]);
    expect(requests).toEqual([requestOf(null), requestOf(null)]);
  });
});

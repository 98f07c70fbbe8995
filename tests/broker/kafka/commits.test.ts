import type { Consumer } from "kafkajs";
import { createCommits } from "../../../src/broker/kafka/commits.ts";

const POSITIONS = [
  { topic: "t", partition: 0, offset: 5n },
  { topic: "t", partition: 1, offset: 7n },
];

type OnCommit = (event: { payload: { topics: readonly object[] } }) => void;

/** A consumer whose commits have the outcome that `makes` returns, and emit an event for the committed offsets. */
const fakeConsumer = (makes: (offsets: readonly object[]) => readonly object[] | Error) => {
  let emit: OnCommit = () => undefined;
  const consumer = {
    events: { COMMIT_OFFSETS: "consumer.commit_offsets" },
    on: (_name: string, listener: OnCommit) => {
      emit = listener;
    },
    commitOffsets: async (offsets: { topic: string; partition: number; offset: string }[]) => {
      await Promise.resolve();
      const made = makes(offsets);
      if (made instanceof Error) throw made;
      if (made.length > 0) emit({ payload: { topics: [{ topic: "t", partitions: made }] } });
    },
  };
  return consumer as unknown as Consumer;
};

describe("a commit", () => {
  it("resolves if kafkajs emits the event of the commit", async () => {
    const commit = createCommits(fakeConsumer((offsets) => offsets));
    await expect(commit(POSITIONS)).resolves.toBeUndefined();
  });

  it("rejects if kafkajs resolves without the event", async () => {
    const commit = createCommits(fakeConsumer(() => []));
    await expect(commit(POSITIONS)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it("rejects if the event belongs to another commit", async () => {
    const commit = createCommits(fakeConsumer((offsets) => offsets.slice(0, 1)));
    const [first, both] = await Promise.allSettled([commit(POSITIONS.slice(0, 1)), commit(POSITIONS)]);

    expect(first.status).toBe("fulfilled");
    expect(both).toMatchObject({ status: "rejected", reason: { code: "BROKER_UNAVAILABLE" } });
  });

  it("rejects with BROKER_UNAVAILABLE if kafkajs throws any error", async () => {
    const cause = new TypeError("Consumer group was not initialized");
    const commit = createCommits(fakeConsumer(() => cause));
    await expect(commit(POSITIONS)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", cause });
  });
});

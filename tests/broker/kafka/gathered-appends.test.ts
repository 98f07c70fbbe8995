import type { AppendOnce, OnceBatch, OnceBatchResult } from "../../../src/broker/append-once.ts";
import { createGatheredAppends } from "../../../src/broker/kafka/gathered-appends.ts";
import { MAX_APPEND_BYTES } from "../../../src/broker/record-bytes.ts";
import { GatewayError } from "../../../src/errors.ts";

const batch = (partition: number, ...values: readonly string[]): OnceBatch => ({
  partition,
  records: values.map((value) => ({ key: null, value: Buffer.from(value), headers: [], timestamp: 0 })),
});

const refused: OnceBatchResult = { status: "refused", error: new GatewayError("RECORD_TOO_LARGE") };
const unsent: OnceBatchResult = { status: "unsent", error: new GatewayError("BROKER_UNAVAILABLE") };
const unknown: OnceBatchResult = { status: "unknown", error: new GatewayError("BROKER_AMBIGUOUS") };

describe("gathered appends", () => {
  /** The appends that reach Kafka: the values for each partition. */
  let appends: string[][];
  /** The answer for a batch; undefined: stored at the offset 100 × its partition. */
  let answer: (values: readonly string[], partition: number) => OnceBatchResult | undefined;
  let append: AppendOnce;

  beforeEach(() => {
    appends = [];
    answer = () => undefined;
    append = createGatheredAppends((topic, batches, { mayWrite }) => {
      const texts = batches.map(({ records }) => records.map(({ value }) => String(value)));
      appends.push(batches.map(({ partition }, i) => `${topic}/${partition}: ${texts[i]?.join(" ") ?? ""}`));
      if (!mayWrite()) return Promise.resolve(batches.map(() => unsent));
      return Promise.resolve(
        batches.map(
          ({ partition }, i): OnceBatchResult =>
            answer(texts[i] ?? [], partition) ?? {
              status: "stored",
              baseOffset: BigInt(100 * partition),
              timestamp: 7,
            },
        ),
      );
    });
  });

  const ask = async (
    batches: readonly OnceBatch[],
    { topic = "t", mayWrite = (): boolean => true } = {},
  ): Promise<readonly string[]> => {
    const results = await append(topic, batches, { mayWrite, timeoutMs: 1000 });
    return results.map((result) => (result.status === "stored" ? `${result.baseOffset}` : result.status));
  };

  it("go together if they begin in one turn, and each caller gets its own offsets", async () => {
    const results = await Promise.all([
      ask([batch(1, "a", "b"), batch(2, "c")]),
      ask([batch(2, "d"), batch(3, "e")]),
      ask([batch(1, "f")]),
    ]);
    expect(appends).toEqual([["t/1: a b f", "t/2: c d", "t/3: e"]]);
    expect(results).toEqual([["100", "200"], ["201", "300"], ["102"]]);
  });

  it("do not go together if they are for different topics, or come later", async () => {
    await Promise.all([ask([batch(1, "a")]), ask([batch(1, "b")], { topic: "u" })]);
    await ask([batch(1, "c")]);
    expect(appends).toEqual([["t/1: a"], ["u/1: b"], ["t/1: c"]]);
  });

  it("do not become larger than one append to a partition", async () => {
    const large = "x".repeat(MAX_APPEND_BYTES / 2);
    await Promise.all([ask([batch(1, large)]), ask([batch(1, large)]), ask([batch(1, "a")])]);
    expect(appends.map((one) => one.map((text) => text.length))).toEqual([
      [large.length + 5],
      [large.length + 7],
    ]);
  });

  it("are tried again alone if Kafka refuses the records of several callers", async () => {
    answer = (values) => (values.includes("bad") ? refused : undefined);
    const results = await Promise.all([
      ask([batch(1, "bad"), batch(2, "a")]),
      ask([batch(1, "b")]),
      ask([batch(3, "bad")]),
    ]);
    // What was stored is not stored again, and neither is what was refused for one caller alone.
    expect(appends).toEqual([["t/1: bad b", "t/2: a", "t/3: bad"], ["t/1: bad"], ["t/1: b"]]);
    expect(results).toEqual([["refused", "200"], ["100"], ["refused"]]);
  });

  it("are tried again without the callers that may not write", async () => {
    const results = await Promise.all([
      ask([batch(1, "a")], { mayWrite: () => false }),
      ask([batch(1, "b"), batch(2, "c")]),
    ]);
    expect(appends).toEqual([["t/1: a b", "t/2: c"], ["t/1: a"], ["t/1: b", "t/2: c"]]);
    expect(results).toEqual([["unsent"], ["100", "200"]]);
  });

  it("have one outcome for all callers if it is not known, and are not tried again", async () => {
    answer = () => unknown;
    await expect(Promise.all([ask([batch(1, "a")]), ask([batch(1, "b")])])).resolves.toEqual([
      ["unknown"],
      ["unknown"],
    ]);
    expect(appends).toHaveLength(1);
  });

  it("are not tried again if all callers may write and nothing was sent", async () => {
    answer = () => unsent;
    await expect(Promise.all([ask([batch(1, "a")]), ask([batch(1, "b")])])).resolves.toEqual([
      ["unsent"],
      ["unsent"],
    ]);
    expect(appends).toHaveLength(1);
  });
});

import type { ConsumedRecord } from "../../../../src/broker/broker.ts";
import type { Batch } from "../../../../src/delivery/engine/batches/batch.ts";
import { createBatchQueues, type BatchQueues } from "../../../../src/delivery/engine/batches/batch-queues.ts";
import { createClaims, type Claim } from "../../../../src/delivery/engine/claims.ts";
import type { Batching } from "../../../../src/delivery/engine/delivery-plan.ts";
import { ORDER_KEYS, type Ordering } from "../../../../src/delivery/engine/ordering.ts";
import { FIRST_ATTEMPT } from "../../../../src/delivery/engine/strategy.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";

const PARTITION = { topic: "orders", partition: 0 };

const claimOf = (): Claim => {
  const claims = createClaims();
  claims.add(PARTITION, undefined, { onFinished: () => undefined, isConfirmed: () => true });
  const [claim] = claims.all;
  if (claim === undefined) throw new RangeError("no claim");
  return claim;
};

interface Given extends Partial<Pick<Batching, "maxRecords" | "maxBytes" | "lingerMs">> {
  readonly ordering?: Ordering;
}

/** The values of the records are `group:text`. The group `-` stands for a record that is sent alone. */
const openWith = ({
  ordering = "partition",
  maxRecords = 100,
  maxBytes = 1000,
  lingerMs = 0,
}: Given = {}) => {
  const clock = createFakeClock();
  const lingered: string[] = [];
  const claim = claimOf();
  const queues = createBatchQueues({
    batching: {
      ...{ maxRecords, maxBytes, lingerMs, frameBytes: 0 },
      groupOf: ({ value }) => (value?.[0] === 45 ? undefined : String(value).split(":")[0]),
      bytesOf: ({ value }) => value?.length ?? 0,
      render: () => ({ origin: "", path: "", method: "POST", headers: [], body: null }),
    },
    orderKeyOf: ORDER_KEYS[ordering],
    clock,
    onBegun: () => undefined,
    onLingered: () => lingered.push("lingered"),
  });
  let offset = 0n;
  const join = (value: string, key?: string, attempts = 0): void => {
    const record: ConsumedRecord = {
      ...{ ...PARTITION, offset, timestamp: 1, headers: [] },
      ...{ key: key === undefined ? null : Buffer.from(key), value: Buffer.from(value) },
    };
    offset += 1n;
    const state = {
      notBefore: 0,
      attempts,
      retry: FIRST_ATTEMPT,
      lastStatus: undefined,
      lastError: undefined,
    };
    queues.join({ record, claim, ...state }, record);
  };
  return { queues, join, clock, claim, lingered };
};

const textOf = (batch: Batch | undefined): string =>
  (batch?.members ?? []).map(({ record }) => String(record.value)).join(" ");

const takeAll = (queues: BatchQueues): readonly string[] => {
  const texts: string[] = [];
  for (let batch = queues.take(); batch !== undefined; batch = queues.take()) {
    texts.push(textOf(batch));
    queues.release(batch);
  }
  return texts;
};

describe("a batch", () => {
  it("has all records of its group that have arrived, whatever came in between", () => {
    const { queues, join } = openWith();
    for (const value of ["a:1", "b:1", "a:2", "b:2", "a:3"]) join(value);

    expect(takeAll(queues)).toStrictEqual(["a:1 a:2 a:3", "b:1 b:2"]);
  });

  it("ends at its maximum number of records", () => {
    const { queues, join } = openWith({ maxRecords: 2 });
    for (const value of ["a:1", "a:2", "a:3"]) join(value);

    expect(takeAll(queues)).toStrictEqual(["a:1 a:2", "a:3"]);
  });

  it("ends before it exceeds its maximum size, and a larger record is a batch alone", () => {
    const { queues, join } = openWith({ maxBytes: 7 });
    for (const value of ["a:1", "a:2", "a:3", "a:too long", "a:4"]) join(value);

    expect(takeAll(queues)).toStrictEqual(["a:1 a:2", "a:3", "a:too long", "a:4"]);
  });

  it("gets no more records after it was taken", () => {
    const { queues, join } = openWith();
    join("a:1");
    const first = queues.take();
    join("a:2");

    expect(textOf(first)).toBe("a:1");
    expect(queues.take()).toBeUndefined();

    if (first !== undefined) queues.release(first);

    expect(takeAll(queues)).toStrictEqual(["a:2"]);
  });

  it("is ended by a record that is sent alone", () => {
    const { queues, join } = openWith();
    for (const value of ["a:1", "b:1", "-:delete", "a:2", "b:2"]) join(value);

    expect(takeAll(queues)).toStrictEqual(["a:1", "b:1", "-:delete", "a:2", "b:2"]);
  });

  it("has only records with the same number of attempts", () => {
    const { queues, join } = openWith();
    join("a:1", undefined, 2);
    join("a:2", undefined, 2);
    join("a:3");

    expect(takeAll(queues)).toStrictEqual(["a:1 a:2", "a:3"]);
  });

  it("waits for further records until the linger time is over, or until it is full", () => {
    const { queues, join, clock, lingered } = openWith({ lingerMs: 50, maxRecords: 2 });
    join("a:1");

    expect(queues.take()).toBeUndefined();

    join("b:1");
    join("b:2");

    expect(queues.take()).toBeUndefined();

    clock.advance(50);

    expect(lingered).toHaveLength(1);
    expect(takeAll(queues)).toStrictEqual(["a:1", "b:1 b:2"]);
  });
});

describe("with the order of keys", () => {
  it("a batch waits for the batches in flight that have one of its keys, and for no other", () => {
    const { queues, join } = openWith({ ordering: "key", maxRecords: 2 });
    join("a:1", "k1");
    join("a:2", "k2");
    join("a:3", "k2");
    join("a:4", "k3");
    join("a:5", "k4");
    const first = queues.take();

    expect(textOf(first)).toBe("a:1 a:2");

    const third = queues.take();

    expect(textOf(third)).toBe("a:5");
    expect(queues.take()).toBeUndefined();

    if (first !== undefined) queues.release(first);

    expect(textOf(queues.take())).toBe("a:3 a:4");
  });

  it("ends an open batch, if a later batch has the key of the record", () => {
    const { queues, join } = openWith({ ordering: "key" });
    join("a:1", "k");
    join("b:1", "k");
    join("a:2", "k");

    expect(takeAll(queues)).toStrictEqual(["a:1", "b:1", "a:2"]);
  });

  it("lets records without a key share the batch of their group", () => {
    const { queues, join } = openWith({ ordering: "key" });
    for (const value of ["a:1", "b:1", "a:2"]) join(value);

    expect(takeAll(queues)).toStrictEqual(["a:1 a:2", "b:1"]);
  });
});

/** A generator with a seed, so that a failure can be repeated. */
const randomOf = (seed: number) => {
  let state = seed;
  return (limit: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
};

describe("with random groups, keys, answers and ends of batches", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    "each record is sent once, and the records of a key in order (seed %i)",
    (seed) => {
      const random = randomOf(seed);
      const { queues, join, claim } = openWith({ ordering: "key", maxRecords: 5, maxBytes: 40 });
      const joined: string[] = [];
      const sent: string[] = [];
      const inFlight: Batch[] = [];
      const step = (): void => {
        const choice = random(10);
        if (choice < 6) {
          const key = random(4) === 0 ? undefined : `k${random(3)}`;
          const value = `${random(12) === 0 ? "-" : `g${random(3)}`}:${key ?? ""}:${joined.length}`;
          joined.push(value);
          join(value, key);
        } else if (choice < 8) {
          const batch = queues.take();
          if (batch !== undefined) {
            sent.push(...textOf(batch).split(" "));
            inFlight.push(batch);
          }
        } else if (choice === 8) {
          const [batch] = inFlight.splice(random(inFlight.length), 1);
          if (batch !== undefined) queues.release(batch);
        } else if (random(5) === 0) queues.end(claim);
      };
      for (let steps = 0; steps < 2000; steps += 1) step();
      for (const batch of inFlight) queues.release(batch);
      sent.push(...takeAll(queues).flatMap((text) => text.split(" ")));
      const ofKey = (values: readonly string[], key: string) =>
        values.filter((value) => value.split(":")[1] === key);

      expect(sent.toSorted()).toStrictEqual(joined.toSorted());

      for (const key of ["k0", "k1", "k2"]) expect(ofKey(sent, key)).toStrictEqual(ofKey(joined, key));
    },
  );
});

/** The main process and several workers, without processes: each channel is a queue that a test can stop. */
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { FromMain, ToMain } from "../../src/spool/messages.ts";
import { openPodSpool, type PodSpool } from "../../src/spool/pod-spool.ts";
import { WorkerSpool } from "../../src/spool/worker-spool.ts";
import { FakeKafka, optionsFor, statusesOf, until } from "./fake-kafka.ts";
import { newDirectory, record } from "./support.ts";

interface Worker {
  readonly spool: WorkerSpool;
  /** The worker gets no message until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** No message of the worker arrives any more. */
  cut(): void;
  send(...values: readonly string[]): Promise<readonly string[]>;
}

const channelOf = <Message>(deliver: (message: Message) => void) => {
  const queue: Message[] = [];
  let isOpen = true;
  const flush = (): void => {
    if (isOpen) for (const message of queue.splice(0)) deliver(message);
  };
  return {
    push: (message: Message): void => {
      queue.push(message);
      queueMicrotask(flush);
    },
    stop: (): void => {
      isOpen = false;
    },
    go: (): void => {
      isOpen = true;
      flush();
    },
  };
};

const openPod = async (kafka: FakeKafka, given: { readonly maxBytes?: number } = {}) => {
  const dir = newDirectory();
  const seen: string[] = [];
  const options = { ...optionsFor(kafka, dir, seen), ...given };
  const inboxes = new Map<number, ReturnType<typeof channelOf<FromMain>>>();
  const pod: PodSpool = await openPodSpool({
    ...options,
    tell: (id, message) => {
      inboxes.get(id)?.push(message);
    },
    kill: (id) => seen.push(`kills ${id}`),
  });
  closers.push(() => pod.close());
  const start = (id: number): Worker => {
    let listener: (message: FromMain) => void = () => undefined;
    const inbox = channelOf((message: FromMain) => {
      listener(message);
    });
    const outbox = channelOf((message: ToMain) => {
      pod.onMessage(id, message);
    });
    inboxes.set(id, inbox);
    const spool = new WorkerSpool({
      ...{ ...optionsFor(kafka, dir, seen), ...given },
      channel: { ...pod.begin(id, id), send: outbox.push, listen: (to) => (listener = to) },
    });
    pod.started(id);
    closers.push(() => spool.close());
    return {
      ...{ spool, freeze: inbox.stop, thaw: inbox.go, cut: outbox.stop },
      send: async (...values) => {
        const records = values.map((value) => record(value, "k"));
        return statusesOf(await spool.append("orders", records));
      },
    };
  };
  return { pod, start, seen, dir };
};

const SPOOLED = ["spooled"];

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it("spools in all workers, and drains their folders in the order of the events", async () => {
  const kafka = new FakeKafka();
  const { pod, start, seen, dir } = await openPod(kafka);
  const workers = [start(1), start(2), start(3)];
  kafka.mode = "down";
  const values = Array.from({ length: 60 }, (_, i) => String(i));
  for (const [i, value] of values.entries()) expect(await workers[i % 3]?.send(value)).toEqual(SPOOLED);
  expect(workers.map(({ spool }) => spool.readiness().isSpooling)).toEqual([true, true, true]);
  expect(workers.map(({ spool }) => spool.isSpooling("orders"))).toEqual([true, true, true]);
  expect(workers.map(({ spool }) => spool.isSpooling("others"))).toEqual([false, false, false]);
  kafka.mode = "up";
  const later: string[] = [];
  for (let i = 60; pod.isSpooling; i += 1) {
    expect(["spooled", "stored"]).toContain((await workers[i % 3]?.send(String(i)))?.[0]);
    later.push(String(i));
  }
  expect(kafka.log).toEqual([...values, ...later]);
  expect(seen).toEqual(["orders spools", "orders is direct"]);
  expect(workers.map(({ spool }) => spool.isSpooling("orders"))).toEqual([false, false, false]);
  await until(() => pod.usedBytes === 0);
  for (const { spool } of workers) await spool.close();
  await pod.close();
  expect(readdirSync(dir)).toEqual(["owner.lock"]);
});

it("answers no spooled event before all workers spool", async () => {
  const kafka = new FakeKafka();
  const { start } = await openPod(kafka);
  const [one, frozen] = [start(1), start(2)];
  frozen.freeze();
  kafka.mode = "down";
  let hasAnswer = false;
  const answer = one.send("a").finally(() => (hasAnswer = true));
  await until(() => one.spool.readiness().isSpooling);
  await sleep(100);
  expect(hasAnswer).toBe(false);
  frozen.thaw();
  expect(await answer).toEqual(SPOOLED);
});

it("counts the end of a worker as its confirmation, and drains its folder in another worker", async () => {
  const kafka = new FakeKafka();
  const { pod, start } = await openPod(kafka);
  const [drainer, other, frozen] = [start(1), start(2), start(3)];
  frozen.freeze();
  kafka.mode = "down";
  const answer = drainer.send("a");
  await until(() => drainer.spool.readiness().isSpooling);
  pod.ended(3);
  expect(await answer).toEqual(SPOOLED);
  await drainer.spool.close();
  pod.ended(1);
  expect(await other.send("b")).toEqual(SPOOLED);
  kafka.mode = "up";
  await until(() => !pod.isSpooling);
  expect(kafka.log).toEqual(["a", "b"]);
});

it("finds the events of a worker that was killed before its first message about a topic came", async () => {
  const kafka = new FakeKafka();
  const { pod, start, seen, dir } = await openPod(kafka);
  const [other, killed] = [start(1), start(2)];
  kafka.mode = "down";
  expect(await killed.send("a")).toEqual(SPOOLED);
  killed.cut();
  void killed.spool.append("users", [record("b", "k")]);
  await until(() =>
    readdirSync(dir, { recursive: true }).some((name) => /users.*events$/.test(String(name))),
  );
  pod.ended(2);
  await until(() => seen.includes("users spools"));
  expect(await other.send("c")).toEqual(SPOOLED);
  kafka.mode = "up";
  await until(() => !pod.isSpooling);
  expect([...kafka.log].sort()).toEqual(["a", "b", "c"]);
});

it("gives a worker that starts the states of the topics before its first event", async () => {
  const kafka = new FakeKafka();
  const { pod, start } = await openPod(kafka);
  const first = start(1);
  kafka.mode = "down";
  expect(await first.send("a")).toEqual(SPOOLED);
  const second = start(2);
  await sleep(0);
  expect(second.spool.readiness().isSpooling).toBe(true);
  expect(await second.send("b")).toEqual(SPOOLED);
  kafka.mode = "up";
  await until(() => !pod.isSpooling);
  expect(kafka.log).toEqual(["a", "b"]);
});

it("has one maximum size for all workers", async () => {
  const kafka = new FakeKafka();
  const { pod, start } = await openPod(kafka, { maxBytes: 10_000 });
  const workers = [start(1), start(2)];
  kafka.mode = "down";
  const value = "x".repeat(400);
  const answers: (string | undefined)[] = [];
  for (let i = 0; i < 40; i += 1) answers.push((await workers[i % 2]?.send(value))?.[0]);
  const spooled = answers.filter((answer) => answer === "spooled").length;
  expect(new Set(answers)).toEqual(new Set(["spooled", "BROKER_UNAVAILABLE"]));
  expect(spooled).toBeGreaterThan(16);
  expect(spooled).toBeLessThan(25);
  expect(pod.usedBytes).toBeLessThanOrEqual(10_000);
  expect(workers.map(({ spool }) => spool.readiness().hasRoom)).toEqual([false, false]);
  kafka.mode = "up";
  await until(() => !pod.isSpooling);
  expect(kafka.log).toHaveLength(spooled);
});

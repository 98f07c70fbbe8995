/** Calls that share a request between two processes, over real connections. */
import { GatewayError } from "../../../src/errors.ts";
import {
  AnswerReader,
  decodeCalls,
  encodeAnswer,
  encodeCalls,
} from "../../../src/home/peers/bundle-frames.ts";
import { createPeerClient } from "../../../src/home/peers/peer-client.ts";
import { createPeerServer, type PeerServer } from "../../../src/home/peers/peer-server.ts";
import type { NoAnswer, Peer, PeerAnswer, PeerHandler, Peers } from "../../../src/home/peers/peers.ts";
import { peerKeys } from "../../../src/home/peers/signature.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { createMemoryBudget } from "../../../src/lib/memory-budget.ts";

const ID = "process-1";
const keys = () => peerKeys({ secret: "a secret", tokenSecrets: [], apiKeys: [] });
const BUNDLE_BYTES = 1000;

const textOf = (answer: PeerAnswer | NoAnswer): string => {
  if (typeof answer === "string") return answer;
  answer.ended(true);
  return answer.body.toString();
};

describe("a bundle of calls", () => {
  const memory = createMemoryBudget(10_000);
  let handle: PeerHandler["call"];
  let server: PeerServer;
  let peers: Peers;
  let peer: Peer;

  beforeEach(async () => {
    server = createPeerServer({
      ...{ keys, clock: systemClock, maxConnections: 100, answerTimeoutMs: 10_000 },
      maxBodyBytes: 2 * BUNDLE_BYTES,
    });
    const handler: PeerHandler = {
      call: (slot, call) => handle(slot, call),
      ask: () => Promise.resolve(undefined),
      given: () => Promise.resolve(false),
    };
    server.serve({ id: ID, handler }, "once");
    peer = { id: ID, address: `127.0.0.1:${await server.listen("127.0.0.1", 0)}` };
    peers = createPeerClient({
      ...{ keys, clock: systemClock, memory, name: "once" },
      bundleBytes: BUNDLE_BYTES,
    });
  });

  afterEach(async () => {
    await peers.close();
    await server.close();
    if (memory.usedBytes > 0) throw new Error(`${memory.usedBytes} bytes were not given back`);
  });

  const call = (
    slot: number,
    { body = Buffer.from(`call ${slot}`), to = peer, signal = new AbortController().signal } = {},
  ): Promise<PeerAnswer | NoAnswer> =>
    peers.call(to, slot, { path: `/append/${slot}`, body, waitMs: 1500.7, signal });

  const answer = (text: string): PeerAnswer => ({
    status: 200,
    headers: { kind: "test" },
    body: Buffer.from(text),
    reportsEnd: false,
    ended: () => undefined,
  });

  it("has the calls of one turn of the event loop, and gives each its own answer", async () => {
    const signals = new Set<AbortSignal>();
    handle = (slot, { path, body, waitMs, signal }) => {
      signals.add(signal);
      if (slot === 1) return Promise.resolve("moved");
      if (slot === 2) return Promise.reject(new GatewayError("OVERLOADED", { message: "too much" }));
      return Promise.resolve(answer(`${slot} ${path} ${String(body)} ${waitMs}`));
    };
    const [first, moved, refused, last] = await Promise.allSettled([0, 1, 2, 3].map((slot) => call(slot)));

    expect(first).toMatchObject({ value: { status: 200, headers: { kind: "test" } } });
    expect(first?.status === "fulfilled" && textOf(first.value)).toBe("0 /append/0 call 0 1500");
    expect(moved).toMatchObject({ value: "moved" });
    expect(refused).toMatchObject({ reason: { code: "OVERLOADED", message: "too much" } });
    expect(last?.status === "fulfilled" && textOf(last.value)).toBe("3 /append/3 call 3 1500");
    // The calls of one request have one signal.
    expect(signals.size).toBe(1);
  });

  it("does not make a call wait for another one", async () => {
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    handle = async (slot) => {
      if (slot === 1) await slow;
      return answer(`${slot}`);
    };
    const answers = [call(1), call(2)];
    expect(textOf((await answers[1]) ?? "broken")).toBe("2");
    release();
    expect(textOf((await answers[0]) ?? "broken")).toBe("1");
  });

  it("is divided if it is larger than its limit; a larger call goes alone", async () => {
    const signals = new Set<AbortSignal>();
    handle = (slot, { body, signal }) => {
      signals.add(signal);
      return Promise.resolve(answer(`${slot} ${body.length}`));
    };
    const sizes = [400, 400, 400, 1500, 10];
    const answers = await Promise.all(sizes.map((size, slot) => call(slot, { body: Buffer.alloc(size) })));
    expect(answers.map(textOf)).toEqual(["0 400", "1 400", "2 400", "3 1500", "4 10"]);
    expect(signals.size).toBe(4);
  });

  it("does not send a call whose signal is aborted before", async () => {
    handle = (slot) => Promise.resolve(answer(`${slot}`));
    const gone = new AbortController();
    const [taken, other] = [call(1, { signal: gone.signal }), call(2)];
    gone.abort(new Error("the client has gone"));
    await expect(taken).rejects.toThrow("the client has gone");
    expect(textOf(await other)).toBe("2");
  });

  it("tells the calls without an answer that the connection broke", async () => {
    handle = (slot) => (slot === 1 ? Promise.resolve(answer("1")) : new Promise(() => undefined));
    const answers = [call(1), call(2), call(3)];
    expect(textOf((await answers[0]) ?? "broken")).toBe("1");
    await server.close();
    await expect(Promise.all(answers.slice(1))).resolves.toEqual(["broken", "broken"]);
  });

  it("is refused by a process with another id, and unsent to a process that has ended", async () => {
    const to = { ...peer, id: "process-0" };
    await expect(Promise.all([call(1, { to }), call(2, { to })])).resolves.toEqual(["refused", "refused"]);
    await server.close();
    await expect(Promise.all([call(1), call(2)])).resolves.toEqual(["unsent", "unsent"]);
  });

  it("has an error for an answer for which there is no memory", async () => {
    handle = (slot) => Promise.resolve(answer(slot === 1 ? "x".repeat(10_001) : "small"));
    const [large, small] = await Promise.allSettled([call(1), call(2)]);
    expect(large).toMatchObject({ reason: { code: "OVERLOADED" } });
    expect(small.status === "fulfilled" && textOf(small.value)).toBe("small");
  });
});

describe("the bytes of a bundle", () => {
  const calls = [
    { slot: 3, waitMs: 5, path: "/ä", body: Buffer.from("one") },
    { slot: 4, waitMs: 0, path: "", body: Buffer.alloc(0) },
  ];

  it("are read as they were written, and refused if they are cut", () => {
    const bytes = encodeCalls(calls);
    expect(decodeCalls(bytes)).toEqual(calls);
    const isWhole = (length: number): boolean => {
      try {
        return decodeCalls(bytes.subarray(0, length)).length > 0;
      } catch {
        return false;
      }
    };
    const lengths = [...bytes.keys()].filter((length) => length > 0);
    // The second call takes 16 bytes.
    expect(lengths.filter(isWhole)).toEqual([bytes.length - 16]);
  });

  it("give the same answers however the stream is cut", () => {
    const answers = [
      { place: 1, head: undefined, body: Buffer.alloc(0) },
      { place: 0, head: { status: 200, headers: { a: "b" } }, body: Buffer.from("body") },
    ];
    const bytes = Buffer.concat(answers.map(encodeAnswer));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const reader = new AnswerReader();
      const read = [...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))];
      expect(read).toEqual(answers);
      expect(reader.keptBytes).toBe(0);
    }
  });
});

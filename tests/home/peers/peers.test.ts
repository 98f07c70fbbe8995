/** The client and the server of the peer port against each other, over real connections. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { GatewayError } from "../../../src/errors.ts";
import { createPeerClient } from "../../../src/home/peers/peer-client.ts";
import { createPeerServer, type PeerServer } from "../../../src/home/peers/peer-server.ts";
import type {
  NoAnswer,
  Peer,
  PeerAnswer,
  PeerCall,
  PeerHandler,
  Peers,
} from "../../../src/home/peers/peers.ts";
import { hashOf, peerKeys, SIGNATURE_HEADER, signed } from "../../../src/home/peers/signature.ts";
import { createMemoryBudget } from "../../../src/lib/memory-budget.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { freePort } from "../../support/free-port.ts";

const ID = "process-1";
const keys = peerKeys({ secret: "a secret", tokenSecrets: [], apiKeys: [] });
const MAX_BODY = 1000;

const isAnswer = (result: PeerAnswer | NoAnswer): result is PeerAnswer => typeof result === "object";

describe("the peer port", () => {
  const clock = createFakeClock();
  const memory = createMemoryBudget(10_000);
  let handle: PeerHandler["call"];
  let ends: boolean[];
  let onEnd: () => void;
  let peer: Peer;
  let server: PeerServer;
  let peers: Peers;

  /** The end of the answer as the process that holds the slot sees it. */
  const nextEnd = (): Promise<void> => new Promise((resolve) => (onEnd = resolve));

  const answer = (body: Buffer = Buffer.from("[]")): PeerAnswer => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body,
    ended: (sentWhole) => {
      ends.push(sentWhole);
      onEnd();
    },
  });

  const call = (changes: Partial<PeerCall> = {}, to = peer): Promise<PeerAnswer | NoAnswer> =>
    peers.call(to, 17, {
      path: "/batch?max=5",
      body: Buffer.from("{}"),
      waitMs: 1500,
      signal: new AbortController().signal,
      ...changes,
    });

  const answered = async (): Promise<PeerAnswer> => {
    const result = await call();
    if (!isAnswer(result)) throw new TypeError(`there is no answer: ${result}`);
    return result;
  };

  beforeEach(async () => {
    ends = [];
    onEnd = () => undefined;
    handle = () => Promise.resolve(answer());
    server = createPeerServer({
      ...{ keys: () => keys, clock },
      maxBodyBytes: MAX_BODY,
      maxConnections: 100,
      answerTimeoutMs: 10_000,
    });
    server.serve({
      id: ID,
      handler: {
        call: (slot, given) => handle(slot, given),
        ask: (slot) => Promise.resolve(slot === 17 ? ["billing", "etl"] : undefined),
        given: (slot, generation) => Promise.resolve(slot === 17 && generation === 4),
      },
    });
    peer = { id: ID, address: `127.0.0.1:${await server.listen("127.0.0.1", 0)}` };
    peers = createPeerClient({ keys: () => keys, clock, memory });
  });

  afterEach(async () => {
    await peers.close();
    await server.close();
    if (memory.usedBytes > 0) throw new Error(`${memory.usedBytes} bytes were not given back`);
  });

  it("carries a call and its answer", async () => {
    const calls: unknown[] = [];
    handle = (slot, { path, body, waitMs }) => {
      calls.push({ slot, path, body: body.toString(), waitMs });
      return Promise.resolve(answer(Buffer.from("[1]")));
    };
    const { status, headers, body, ended } = await answered();

    expect(calls).toEqual([{ slot: 17, path: "/batch?max=5", body: "{}", waitMs: 1500 }]);
    expect({ status, headers, body: body.toString() }).toEqual({
      status: 200,
      headers: { "content-type": "application/json" },
      body: "[1]",
    });
    const end = nextEnd();
    ended(true);
    await end;
  });

  it.each([true, false])("reports the end of an answer (sent whole: %s) once", async (sentWhole) => {
    const { ended } = await answered();
    const end = nextEnd();
    ended(sentWhole);
    ended(!sentWhole);
    await end;
    expect(ends).toEqual([sentWhole]);
  });

  it("counts an answer as not sent whole when the connection breaks", async () => {
    await answered();
    const end = nextEnd();
    await peers.close();
    await end;
    expect(ends).toEqual([false]);
    memory.give(memory.usedBytes);
  });

  it("counts an answer as not sent whole after 10 s without a report", async () => {
    const { ended } = await answered();
    // The other process sends signs of life by its own clock, which is the same one here: they arrive too late.
    const end = nextEnd();
    clock.advance(10_000);
    await end;
    expect(ends).toEqual([false]);
    ended(true);
  });

  it("keeps an answer open while signs of life arrive", async () => {
    const { ended } = await answered();
    for (let second = 0; second < 30; second++) {
      clock.advance(1000);
      // Each sign of life is answered before the next one is sent.
      await signOfLife();
    }
    expect(ends).toEqual([]);
    const end = nextEnd();
    ended(true);
    await end;
    expect(ends).toEqual([true]);
  });

  /** Resolves when a request that was sent after the sign of life is answered. */
  const signOfLife = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await peers.ask(peer, 17, 1);
  };

  it("tells that the slot has moved", async () => {
    handle = () => Promise.resolve("moved");
    await expect(call()).resolves.toBe("moved");
  });

  it("tells that the process refuses a call for another id", async () => {
    await expect(call({}, { ...peer, id: "process-0" })).resolves.toBe("refused");
  });

  it("carries the error of the slot's service", async () => {
    handle = () => Promise.reject(new GatewayError("GROUP_FORBIDDEN", { message: "not the group billing" }));
    await expect(call()).rejects.toMatchObject({ code: "GROUP_FORBIDDEN", message: "not the group billing" });
  });

  it("tells that a call was not sent to a process that doesn't listen", async () => {
    await expect(call({}, { id: ID, address: `127.0.0.1:${await freePort()}` })).resolves.toBe("unsent");
  });

  it("tells that the connection broke before the answer", async () => {
    handle = async () => {
      void server.close();
      return new Promise<never>(() => undefined);
    };
    await expect(call()).resolves.toBe("broken");
  });

  it("aborts the call in the other process when the client disconnects", async () => {
    const client = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      handle = (_, { signal }) => {
        signal.addEventListener("abort", () => {
          resolve();
        });
        client.abort(new Error("the client has left"));
        return new Promise<never>(() => undefined);
      };
    });
    await expect(call({ signal: client.signal })).rejects.toThrow("the client has left");
    await aborted;
  });

  it("refuses an answer for which there is no memory, and reports it as not sent", async () => {
    handle = () => Promise.resolve(answer(Buffer.alloc(10_001)));
    const end = nextEnd();
    await expect(call()).rejects.toMatchObject({ code: "OVERLOADED" });
    await end;
    expect(ends).toEqual([false]);
  });

  it("answers which names live in a slot", async () => {
    await expect(peers.ask(peer, 17, 4)).resolves.toEqual(["billing", "etl"]);
    await expect(peers.ask(peer, 18, 4)).resolves.toBeUndefined();
  });

  it("takes a slot over, or refuses it", async () => {
    await expect(peers.given(peer, 17, 4)).resolves.toBe(true);
    await expect(peers.given(peer, 17, 5)).resolves.toBe(false);
  });

  describe("with a second home", () => {
    const OTHER = "process-1-of-once";
    let others: Peers;

    beforeEach(() => {
      server.serve(
        {
          id: OTHER,
          handler: {
            call: (slot, { body }) =>
              Promise.resolve({ ...answer(body), headers: { slot: `${slot}` }, reportsEnd: false }),
            ask: () => Promise.resolve(["a name of the other home"]),
            given: () => Promise.resolve(true),
          },
        },
        "once",
      );
      others = createPeerClient({ keys: () => keys, clock, memory, name: "once" });
    });
    afterEach(() => others.close());

    const callOther = (body: Buffer, id = OTHER): Promise<PeerAnswer | NoAnswer> =>
      others.call({ ...peer, id }, 3, { path: "/", body, waitMs: 0, signal: new AbortController().signal });

    it("routes each request to the home that its path names", async () => {
      await expect(others.ask({ ...peer, id: OTHER }, 17, 1)).resolves.toEqual(["a name of the other home"]);
      await expect(others.given({ ...peer, id: OTHER }, 17, 5)).resolves.toBe(true);
      await expect(peers.ask(peer, 17, 1)).resolves.toEqual(["billing", "etl"]);
    });

    it("refuses the id of another home of the same process, and a home that it doesn't have", async () => {
      await expect(callOther(Buffer.alloc(0), ID)).resolves.toBe("refused");
      await expect(call({}, { ...peer, id: OTHER })).resolves.toBe("refused");
      const unknown = createPeerClient({ keys: () => keys, clock, memory, name: "nothing" });
      await expect(unknown.ask(peer, 17, 1)).resolves.toBeUndefined();
      await unknown.close();
    });

    it("carries binary bodies, and reports no end that the answer does not need", async () => {
      const bytes = Buffer.from(Array.from({ length: MAX_BODY }, (_, byte) => byte % 256));
      for (let n = 0; n < 3; n += 1) {
        const result = await callOther(bytes);
        if (!isAnswer(result)) throw new TypeError(`there is no answer: ${result}`);
        expect([result.status, result.headers, result.body.equals(bytes)]).toEqual([
          200,
          { slot: "3" },
          true,
        ]);
        expect(memory.usedBytes).toBe(MAX_BODY);
        result.ended(true);
        result.ended(true);
        expect(memory.usedBytes).toBe(0);
      }
      await others.ask({ ...peer, id: OTHER }, 17, 1);
      expect(ends).toEqual([]);
    });
  });

  describe("refuses with 403 and an empty body", () => {
    const header = (path: string, body = ""): Record<string, string> => ({
      [SIGNATURE_HEADER]: signed(
        keys,
        { method: "POST", path, target: ID, bodyHash: hashOf(Buffer.from(body)) },
        clock.now(),
      ),
    });

    it.each<readonly [string, string, RequestInit]>([
      ["an unsigned request", "/peer/call?slot=1", { method: "POST" }],
      ["another path", "/metrics", { method: "POST", headers: header("/metrics") }],
      [
        "a path that was not signed",
        "/peer/ask?slot=1",
        { method: "POST", headers: header("/peer/ask?slot=2") },
      ],
      [
        "a body that was not signed",
        "/peer/call",
        { method: "POST", headers: header("/peer/call"), body: "x" },
      ],
      [
        "a body above the limit",
        "/peer/call",
        { method: "POST", headers: header("/peer/call", "x".repeat(1001)), body: "x".repeat(1001) },
      ],
    ])("%s", async (_, path, request) => {
      const response = await fetch(`http://${peer.address}${path}`, request);
      expect([response.status, await response.text()]).toEqual([403, ""]);
    });
  });

  it.each([
    ["that is not HTTP", "hello\r\n\r\n"],
    ["without a Host header", "GET / HTTP/1.1\r\n\r\n"],
    [
      "that expects 100 Continue",
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
    ["that expects something else", "GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n"],
  ])("refuses a request %s with 403 and an empty body", async (_, request) => {
    const socket = connect(Number(peer.address.split(":")[1]), "127.0.0.1");
    socket.write(request);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n([\w-]+: .*\r\n)*\r\n$/);
    expect(text).toContain("Content-Length: 0");
  });

  describe("with a network that loses everything", () => {
    let proxy: Server;
    let sockets: Socket[];
    let isCut: boolean;

    beforeEach(async () => {
      isCut = false;
      sockets = [];
      const port = Number(peer.address.split(":")[1]);
      proxy = createServer((from) => {
        const to = connect(port, "127.0.0.1");
        sockets.push(from, to);
        from.on("error", () => undefined).on("data", (bytes) => isCut || to.write(bytes));
        to.on("error", () => undefined).on("data", (bytes) => isCut || from.write(bytes));
        from.on("close", () => isCut || to.destroy());
      });
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      peer = { id: ID, address: `127.0.0.1:${(proxy.address() as { port: number }).port}` };
    });

    afterEach(() => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    });

    it("uses one connection for calls after each other", async () => {
      for (let i = 0; i < 5; i++) {
        const { ended } = await answered();
        const end = nextEnd();
        ended(true);
        await end;
        await peers.ask(peer, 17, 1);
      }
      // Two sockets for each connection; a request may begin before the report of the end is answered.
      expect(sockets.length).toBeLessThanOrEqual(2 * 3);
    });

    it.each([
      ["a waiting call", undefined],
      ["the waiting calls of a bundle", MAX_BODY],
    ])("ends %s after 5 s", async (_, bundleBytes) => {
      await peers.close();
      peers = createPeerClient({ keys: () => keys, clock, memory, bundleBytes });
      const begun = new Promise<void>((resolve) => {
        handle = () => {
          resolve();
          return new Promise<never>(() => undefined);
        };
      });
      const waiting = call();
      await begun;
      isCut = true;
      for (let second = 0; second < 7; second++) clock.advance(1000);
      await expect(waiting).resolves.toBe("silent");
    });
  });
});

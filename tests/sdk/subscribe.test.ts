/** `subscribe` of the SDK against a fake gateway. */
import { subscribe } from "../../sdk/src/subscribe.ts";
import type { StationEvent, SubscribeOptions, SubscriptionState } from "../../sdk/src/subscribe-types.ts";
import { eventLine, startFakeStreams, type FakeStreams } from "../support/fake-stream.ts";

interface Numbered {
  readonly n: number;
}

let gateway: FakeStreams;
const closers: (() => void)[] = [];

beforeEach(async () => {
  gateway = await startFakeStreams();
});
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await gateway.close();
});

/** A subscription with short waits that records everything. */
const start = (options: Partial<SubscribeOptions<Numbered>> = {}) => {
  const received: number[] = [];
  const states: SubscriptionState[] = [];
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of watchers) watcher();
  };
  const until = (isReached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (isReached()) resolve();
      };
      watchers.add(look);
      look();
    });
  let tokens = 0;
  const { onEvent, onGap, ...rest } = options;
  const subscription = subscribe<Numbered>({
    url: gateway.url,
    station: "clicks",
    getToken: () => `token-${++tokens}`,
    retryDelay: 5,
    maxRetryDelay: 20,
    onEvent: async (event) => {
      await onEvent?.(event);
      received.push(event.value.n);
      notify();
    },
    onGap: async (gap) => {
      await onGap?.(gap);
      notify();
    },
    onState: (state) => {
      states.push(state);
      notify();
    },
    ...rest,
  });
  closers.push(() => {
    subscription.close();
  });
  return {
    subscription,
    received,
    states,
    tokens: () => tokens,
    /** Resolves when `count` events have been received. */
    has: (count: number) => until(() => received.length >= count),
    is: (state: SubscriptionState["state"]) => until(() => states.at(-1)?.state === state),
    saw: (state: SubscriptionState["state"], times: number) =>
      until(() => states.filter((seen) => seen.state === state).length >= times),
  };
};

/** Timers that bound a call of `getToken`, and the time without input. */
const isBound = (ms: number): boolean => ms === 15_000 || ms === 45_000;

/** Changes the milliseconds of all timers until the test ends. */
const withTimers = (change: (ms: number) => number): void => {
  const { setTimeout: original } = globalThis;
  globalThis.setTimeout = ((action: () => void, ms: number) =>
    original(action, change(ms))) as typeof setTimeout;
  closers.push(() => {
    globalThis.setTimeout = original;
  });
};

describe("subscribe", () => {
  it("asks for NDJSON of the station with the token, the position and the filters", async () => {
    start({ station: "a/b", url: `${gateway.url}/`, from: "earliest", filter: ["/n==1", "/a==x"] });
    const { request } = await gateway.next();
    expect(request.url.pathname).toBe("/stations/a%2Fb/consume/stream");
    expect(request.url.searchParams.get("from")).toBe("earliest");
    expect(request.url.searchParams.getAll("filter")).toEqual(["/n==1", "/a==x"]);
    expect(request.headers).toMatchObject({
      accept: "application/x-ndjson",
      authorization: "Bearer token-1",
    });
    expect(request.headers).not.toHaveProperty("last-event-id");
  });

  it("continues after the event whose id it gets", async () => {
    start({ lastEventId: "id-7", from: 17 });
    const { request } = await gateway.next();
    expect(request.headers["last-event-id"]).toBe("id-7");
    expect(request.url.search).toBe("?from=17");
  });

  it("calls onEvent with one event at a time, however the bytes are divided", async () => {
    const events: StationEvent[] = [];
    const { has, states } = start({ onEvent: (event) => void events.push(event) });
    const stream = await gateway.next();
    const bytes = Buffer.from(
      [{ id: "id-0" }, eventLine(1, { value: { n: 1, text: "grüße" } }), eventLine(2)]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
    for (let i = 0; i < bytes.length; i += 7) stream.write(bytes.subarray(i, i + 7));
    stream.write("\n", eventLine(3));
    await has(3);
    expect(events.map(({ id, offset }) => [id, offset])).toEqual([
      ["id-1", "1"],
      ["id-2", "2"],
      ["id-3", "3"],
    ]);
    expect(events[0]).toEqual(eventLine(1, { value: { n: 1, text: "grüße" } }));
    expect(states.map(({ state }) => state)).toEqual(["connecting", "open"]);
  });

  it("counts an event as received once the promise of onEvent resolves", async () => {
    let finish = (): void => undefined;
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const { subscription } = start({
      onEvent: ({ value: { n } }) => {
        if (n !== 2) return;
        begin();
        return new Promise<void>((resolve) => (finish = resolve));
      },
    });
    const stream = await gateway.next();
    stream.write(eventLine(1), eventLine(2), eventLine(3));
    await begun;
    expect(subscription.lastEventId).toBe("id-1");
    stream.reset();
    finish();
    const again = await gateway.next();
    expect(["id-2", "id-3"]).toContain(again.request.headers["last-event-id"]);
    expect(again.request.headers["last-event-id"]).toBe(subscription.lastEventId);
  });

  it("gets an event again whose onEvent rejects", async () => {
    let isFirst = true;
    const { received, has, states } = start({
      onEvent: ({ value: { n } }) => {
        if (n !== 2 || !isFirst) return;
        isFirst = false;
        throw new Error("not now");
      },
    });
    const stream = await gateway.next();
    stream.write(eventLine(1), eventLine(2), eventLine(3));
    const again = await gateway.next();
    await stream.closed;
    expect(again.request.headers["last-event-id"]).toBe("id-1");
    again.write(eventLine(2), eventLine(3));
    await has(3);
    expect(received).toEqual([1, 2, 3]);
    expect(states).toContainEqual({ state: "waiting", reason: "Error: not now" });
  });

  it("reconnects with the last id after a reset, an end and a line that is no JSON", async () => {
    const { received, has } = start();
    const first = await gateway.next();
    first.write(eventLine(1));
    await has(1);
    first.reset();
    const second = await gateway.next();
    expect(second.request.headers["last-event-id"]).toBe("id-1");
    second.write({ id: "id-1b" }, { end: { reason: "shutdown" } });
    second.end();
    const third = await gateway.next();
    expect(third.request.headers["last-event-id"]).toBe("id-1b");
    third.write(eventLine(2), '{"id":"cut\n');
    const fourth = await gateway.next();
    expect(fourth.request.headers["last-event-id"]).toBe("id-2");
    fourth.write('{"id":"id-3","partition":0,"off');
    fourth.end();
    await gateway.next();
    expect(gateway.requests.at(-1)?.headers["last-event-id"]).toBe("id-2");
    expect(received).toEqual([1, 2]);
  });

  it("reports gaps", async () => {
    const gaps: unknown[] = [];
    const { has } = start({ onGap: (gap) => void gaps.push(gap) });
    const stream = await gateway.next();
    stream.write({ gap: { partition: 0, from: "3", to: "9" } }, eventLine(9));
    await has(1);
    expect(gaps).toEqual([{ partition: 0, from: "3", to: "9" }]);
  });

  it("tries a new token once at once after 401, and after the end Unauthorized", async () => {
    gateway.refuse(401);
    const { tokens, has, states } = start();
    const stream = await gateway.next();
    expect(stream.request.headers.authorization).toBe("Bearer token-2");
    stream.write(eventLine(1));
    await has(1);
    stream.write({ end: { reason: "Unauthorized" } });
    const again = await gateway.next();
    expect(again.request.headers.authorization).toBe("Bearer token-3");
    expect(states.map(({ state }) => state)).not.toContain("waiting");
    again.write(eventLine(2));
    await has(2);
    gateway.refuse(401);
    gateway.refuse(401);
    again.end();
    await gateway.next();
    expect(tokens()).toBe(5);
    expect(states).toContainEqual({ state: "waiting", reason: "refused 401", status: 401 });
  });

  it.each([400, 403, 404])("ends on %i", async (status) => {
    gateway.refuse(status);
    const { is, states } = start();
    await is("closed");
    expect(states.at(-1)).toEqual({ state: "closed", status, reason: `refused ${status}` });
    expect(gateway.requests).toHaveLength(1);
  });

  it("tries again after other answers, not before Retry-After", async () => {
    gateway.refuse(503, { "Retry-After": "1" });
    gateway.refuse(200, { "Content-Type": "text/html" }, "<h1>Welcome to the hotel</h1>");
    gateway.refuse(302, { Location: "/elsewhere" });
    const { saw, is, states } = start();
    await saw("waiting", 1);
    const began = performance.now();
    await saw("waiting", 2);
    expect(performance.now() - began).toBeGreaterThan(995);
    await gateway.next();
    await is("open");
    expect(states.filter(({ state }) => state === "waiting").map(({ status }) => status)).toEqual([
      503, 200, 302,
    ]);
  });

  it("waits 1 to 30 s with jitter by default", async () => {
    const waits: number[] = [];
    withTimers((ms) => {
      if (isBound(ms)) return ms;
      waits.push(ms);
      return 0;
    });
    for (let i = 0; i < 8; i++) gateway.refuse(503);
    start({ retryDelay: undefined, maxRetryDelay: undefined } as object);
    await gateway.next();
    expect(waits).toHaveLength(8);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(1000);
      expect(wait).toBeLessThanOrEqual(Math.min(30_000, 1000 + 2000 * 2 ** i));
    }
  });

  it("reconnects after 45 s without a heartbeat", async () => {
    withTimers((ms) => (ms === 45_000 ? 100 : ms));
    const { states } = start();
    const stream = await gateway.next();
    stream.write("\n");
    await gateway.next();
    await stream.closed;
    expect(states).toContainEqual({ state: "waiting", reason: "TypeError: no answer in time" });
  });

  it("calls getToken again if it fails", async () => {
    let calls = 0;
    const { states, is } = start({
      getToken: () => (++calls === 1 ? Promise.reject(new Error("offline")) : "token"),
    });
    await gateway.next();
    await is("open");
    expect(states).toContainEqual({ state: "waiting", reason: "Error: offline" });
  });

  it("closes the connection and calls onEvent no more after close", async () => {
    let finish = (): void => undefined;
    const { subscription, received, is } = start({
      onEvent: ({ value: { n } }) =>
        n === 1 ? new Promise<void>((resolve) => (finish = resolve)) : undefined,
    });
    const stream = await gateway.next();
    stream.write(eventLine(1), eventLine(2));
    await is("open");
    subscription.close();
    subscription.close();
    await stream.closed;
    finish();
    await is("closed");
    expect(received.length).toBeLessThan(2);
    expect(gateway.requests).toHaveLength(1);
  });
});

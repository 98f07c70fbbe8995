/** Gateways in one process on one broker, with real peer ports. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { createLifecycle, type Lifecycle } from "../../src/app/lifecycle.ts";
import { createPeerPort } from "../../src/app/peer-port.ts";
import { type HomeKeeper, openHome } from "../../src/app/wire-home.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { SlotService } from "../../src/home/contract.ts";
import type { Home } from "../../src/home/home.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";
import { createMetrics, type Metrics } from "../../src/observability/metrics.ts";
import { settingsOf } from "../config/support.ts";

const READER = `auth:
  accessToken: { secret: an-access-token-secret-of-the-test }
  refreshToken: { secret: a-refresh-token-secret-of-the-test }
  accounts: [{ username: u, password: p, consume: [a] }]
`;

interface Line {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

interface Opened {
  readonly home: Home | undefined;
  readonly keeper: HomeKeeper;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
  readonly lines: readonly Line[];
  readonly peerPort: () => number | undefined;
}

/** Answers each call with the name of the gateway. */
const serviceOf = (name: string): SlotService => ({
  names: () => [],
  prepare: () => Promise.resolve(),
  abandon: () => Promise.resolve(),
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
  serve: () => Promise.resolve({ status: 200, headers: {}, body: Buffer.from(name), ended: () => undefined }),
});

describe("the home of readers' groups", () => {
  let broker: Broker;
  const opened: Opened[] = [];

  beforeEach(() => {
    broker = createMemoryBroker();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ lifecycle }) => lifecycle.close(10_000)));
    await broker.close();
  });

  const open = async (yaml: string, name = "one"): Promise<Opened> => {
    const lines: Line[] = [];
    const line = (fields: unknown, text?: unknown): void => {
      if (typeof fields === "string") lines.push({ fields: {}, text: fields });
      else lines.push({ fields: fields as Line["fields"], text: String(text) });
    };
    const logger = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line };
    const lifecycle = createLifecycle(logger);
    const metrics = createMetrics();
    const context = {
      ...{ broker, clock: systemClock, metrics, lifecycle, log: { logger } },
      settings: settingsOf({ yaml }),
      readingMemory: createMemoryBudget(1 << 20),
    };
    const keeper = await openHome(context, createPeerPort(context), () => serviceOf(name)).catch(
      async (error: unknown) => {
        await lifecycle.close(10_000);
        throw error;
      },
    );
    const one: Opened = {
      ...{ home: keeper.homeFor(context.settings), keeper, lifecycle, metrics, lines },
      peerPort: () =>
        lines.find(({ fields }) => fields["listener"] === "peer")?.fields["port"] as number | undefined,
    };
    opened.push(one);
    return one;
  };

  const call = async ({ home }: Opened, group: string): Promise<string> => {
    const signal = new AbortController().signal;
    const answer = await home?.call(group, { path: "/", body: Buffer.from("{}"), waitMs: 0, signal });
    answer?.ended(true);
    return answer?.body.toString() ?? "";
  };

  it("creates the topic of the slots, joins, and serves calls", async () => {
    const one = await open(READER);
    expect(await call(one, "g")).toBe("one");
    expect(await broker.topic("_stationgate-readers")).toMatchObject({ partitions: 60 });
    expect(await one.metrics.text()).toMatch(/^stationgate_reading_homes_moved_total [1-9]/m);
  });

  it("answers unsigned requests at the peer port with 403 and an empty body", async () => {
    const one = await open(`${READER}reading: { peer: { host: 127.0.0.1 } }`);
    const answer = await fetch(`http://127.0.0.1:${String(one.peerPort())}/peer/call?slot=1`, {
      method: "POST",
    });
    expect([answer.status, await answer.text()]).toEqual([403, ""]);
  });

  it("opens no peer port for the embedded log, which belongs to one process", async () => {
    broker = { ...broker, kind: "embedded" };
    const one = await open(READER);
    expect(await call(one, "g")).toBe("one");
    expect(one.peerPort()).toBeUndefined();
  });

  it("forwards calls to the other gateway, and counts them", async () => {
    const one = await open(READER);
    await call(one, "g");
    const two = await open(READER, "two");
    const groups = Array.from({ length: 40 }, (_, number) => `g${number}`);
    const viaTwo = await Promise.all(groups.map((group) => call(two, group)));
    expect(viaTwo).toContain("one");
    const text = await two.metrics.text();
    expect(text).toMatch(/^stationgate_reading_forwarded_total\{outcome="answered"\} [1-9]/m);
    expect(text).toMatch(/^stationgate_reading_forward_seconds_count [1-9]/m);
  });

  it("hands the slots over at the end, so that the other gateway serves all groups", async () => {
    const one = await open(READER);
    await call(one, "g");
    const two = await open(READER, "two");
    await call(two, "g");
    await one.lifecycle.close(10_000);
    const groups = Array.from({ length: 40 }, (_, number) => `g${number}`);
    expect(new Set(await Promise.all(groups.map((group) => call(two, group))))).toEqual(new Set(["two"]));
  });

  it("stays closed if no principal may read", async () => {
    const one = await open(READER.replace("consume: [a]", "stations: [a]"));
    expect([one.home, one.lines]).toEqual([undefined, []]);
    expect(await broker.topics()).toEqual([]);
  });

  it("stays closed without a secret, and says so in one line", async () => {
    const browser =
      "auth: { apiKeys: [{ id: w, key: public, kind: browser, origins: ['https://a.example'] }] }";
    const one = await open(browser);
    expect([one.home, one.lines.map(({ text }) => text)]).toEqual([
      undefined,
      [expect.stringMatching(/^the peer port is closed, and no client can read with a group/)],
    ]);
  });

  it("starts when a reload gives the first principal the right to read", async () => {
    const one = await open(READER.replace("consume: [a]", "stations: [a]"));
    const settings = settingsOf({ yaml: READER });
    const home = one.keeper.homeFor(settings);
    expect(await broker.topics()).toEqual([]);
    one.keeper.use(settings);
    expect(await call({ ...one, home }, "g")).toBe("one");
    expect(one.keeper.homeFor(settings)).toBe(home);
  });

  it("signs with the secrets of the present settings", async () => {
    const other = settingsOf({
      yaml: READER.replace("an-access-token-secret", "another-access-token-secret"),
    });
    const [one, two] = [await open(READER), await open(READER, "two")];
    const groups = Array.from({ length: 40 }, (_, number) => `g${number}`);
    for (const { keeper } of [one, two]) keeper.use(other);
    expect(new Set(await Promise.all(groups.map((group) => call(two, group))))).toEqual(
      new Set(["one", "two"]),
    );
  });

  it("forwards calls while the gateways remove an API key one after the other", async () => {
    const key = (id: string): string => `{ id: ${id}, key: key-of-${id}-00000000000000, consume: [a] }`;
    const before = `auth: { apiKeys: [${key("a")}, ${key("b")}] }`;
    const after = settingsOf({ yaml: `auth: { apiKeys: [${key("b")}] }` });
    const one = await open(before);
    await call(one, "g");
    const two = await open(before, "two");
    const groups = Array.from({ length: 20 }, (_, number) => `g${number}`);
    const answers = async (): Promise<readonly string[]> => {
      const all = [one, two].flatMap((via) => groups.map((group) => call(via, group)));
      return [...new Set(await Promise.all(all))].sort();
    };
    expect(await answers()).toEqual(["one", "two"]);
    for (const { keeper } of [one, two]) {
      keeper.use(after);
      expect(await answers()).toEqual(["one", "two"]);
    }
  });

  it("refuses the start if another process uses the peer port", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await expect(
      open(`${READER}reading: { peer: { host: 127.0.0.1, port: ${port} } }`),
    ).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message: `reading.peer.port: got ${port}, but another process listens on this port`,
    });
    other.close();
  });

  it("tries again until Kafka tells the local address", async () => {
    const real = broker;
    let asked = 0;
    broker = {
      ...broker,
      localAddress: () => {
        asked += 1;
        return asked === 1 ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : real.localAddress();
      },
    };
    const one = await open(READER);
    expect(await call(one, "g")).toBe("one");
    expect(asked).toBe(2);
    expect(one.lines[0]?.text).toMatch(/tries again/);
  });
});

/** Debezium Server's HTTP sink with the guide's configuration, against the real program. */
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createDebeziumSink, parseProperties, type DebeziumSink } from "../support/debezium.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";

const EVENTS = 1000;
const MINUTE = 60_000;

const guide = readFileSync("docs/guides/migrating-from-memphis.md", "utf8");
const properties = parseProperties(/```properties application.properties\n(.*?)```/s.exec(guide)?.[1] ?? "");

describeOnEachBroker("Debezium Server's HTTP sink", (broker) => {
  let station: string;
  let gateway: Gateway;
  let sink: DebeziumSink;
  /** Milliseconds by which the sink's clock is ahead. */
  let ahead = 0;

  const settings = (brokerSettings: Record<string, unknown>, ports: { public: number; admin: number }) => ({
    server: { host: "127.0.0.1", port: ports.public },
    admin: { host: "127.0.0.1", port: ports.admin, token: ADMIN_TOKEN },
    broker: brokerSettings,
    auth: {
      accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
      refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
      accounts: [
        {
          username: properties["debezium.sink.http.authentication.jwt.username"],
          password: properties["debezium.sink.http.authentication.jwt.password"],
          stations: [station],
        },
        {
          username: "root",
          connectionToken: "root-connection-token-of-the-tests",
          consume: ["*"],
          groups: ["*"],
        },
      ],
    },
    stations: [{ name: station, partitions: 1 }],
    autoCreateStations: false,
  });

  const exchanges = new EventEmitter();

  /** The sink of the guide, with this gateway's address and shorter pauses between attempts. */
  const sinkOf = (url: string, more: Record<string, string> = {}, refreshPath?: string): DebeziumSink =>
    createDebeziumSink({
      ...(refreshPath !== undefined && { refreshPath }),
      properties: {
        ...properties,
        "debezium.sink.http.url": `${url}/stations/${station}/produce/single`,
        "debezium.sink.http.authentication.jwt.url": `${url}/`,
        "debezium.sink.http.retries": "3000",
        "debezium.sink.http.retry.interval.ms": "20",
        ...more,
      },
      now: () => Date.now() + ahead,
      heard: ({ outcome }) => exchanges.emit(String(outcome)),
    });

  beforeEach(() => {
    station = uniqueName("changes");
    ahead = 0;
  });

  afterEach(async () => {
    sink.close();
    await gateway[Symbol.asyncDispose]();
  });

  const outcomesOf = (path: string): readonly (number | string)[] =>
    sink.exchanges.filter((exchange) => exchange.path === path).map(({ outcome }) => outcome);

  const event = (id: number): string => JSON.stringify({ payload: { op: "c", after: { id } } });
  const idOf = (value: Buffer): number =>
    (JSON.parse(value.toString()) as { payload: { after: { id: number } } }).payload.after.id;

  it("sends 1,000 events in order over an outage of the broker, a refresh, a kill -9 and a restart", async () => {
    const ports = { public: await freePort(), admin: await freePort() };
    const unusedAddress = `127.0.0.1:${await freePort()}`;
    const unavailableBroker = {
      type: "kafka",
      kafka: { brokers: [unusedAddress], deliveryTimeout: "200ms" },
    };
    gateway = await startGateway({ settings: settings(unavailableBroker, ports) });
    sink = sinkOf(gateway.url);
    const { directory } = gateway;

    /** Stops the gateway, and starts it again once a request of the sink has failed. */
    const interrupt = async (signal: NodeJS.Signals): Promise<void> => {
      const unreachable = once(exchanges, "ECONNREFUSED");
      await gateway.stop(signal);
      await unreachable;
      gateway = await startGateway({ directory, settings: settings(broker.settings(), ports) });
    };
    const produce = async (): Promise<void> => {
      for (let id = 0; id < EVENTS; id++) {
        if (id === 300) ahead = 0.95 * 60 * MINUTE;
        await sink.send({ value: event(id) });
        exchanges.emit(`event ${id}`);
      }
    };
    const unavailable = once(exchanges, "503");
    const produced = produce();
    await unavailable;
    await interrupt("SIGTERM");
    await once(exchanges, "event 500");
    await interrupt("SIGKILL");
    await once(exchanges, "event 700");
    await interrupt("SIGTERM");
    await produced;

    const outcomes = outcomesOf(`/stations/${station}/produce/single`);
    expect(outcomes[0]).toBe(503);
    expect(outcomes.filter((outcome) => outcome === 200)).toHaveLength(EVENTS);
    expect(outcomes).not.toContain(401);
    expect(outcomesOf("/auth/authenticate")).toEqual([200]);
    expect(outcomesOf("/auth/refreshToken")).toEqual([200]);
    const ids = (await broker.readAll(gateway, station)).map(({ value }) => idOf(value));
    expect([...new Set(ids)]).toEqual(Array.from({ length: EVENTS }, (_, id) => id));
  }, 120_000);

  it("can refresh with /auth/authenticate, as Debezium 2.7 and 3.0 do", async () => {
    const ports = { public: await freePort(), admin: await freePort() };
    gateway = await startGateway({ settings: settings(broker.settings(), ports) });
    sink = sinkOf(gateway.url, {}, "auth/authenticate");
    await sink.send({ value: event(0) });
    ahead = 0.95 * 60 * MINUTE;
    await sink.send({ value: event(1) });
    expect(outcomesOf("/auth/authenticate")).toEqual([200, 200]);
    expect((await broker.readAll(gateway, station)).map(({ value }) => idOf(value))).toEqual([0, 1]);
  }, 60_000);

  it("sends CloudEvents with Debezium's headers", async () => {
    const ports = { public: await freePort(), admin: await freePort() };
    gateway = await startGateway({ settings: settings(broker.settings(), ports) });
    sink = sinkOf(gateway.url, { "debezium.format.value": "cloudevents" });
    const value = JSON.stringify({
      id: "name:inventory;lsn:29274832",
      source: "/debezium/postgresql/inventory",
      specversion: "1.0",
      type: "io.debezium.connector.postgresql.datachangeevent",
      datacontenttype: "application/json",
      data: { payload: { op: "c", after: { id: 1 } } },
    });
    await sink.send({ value, headers: { tenant: "north" } });
    const [stored] = await broker.readAll(gateway, station);
    expect(stored?.value.toString()).toBe(value);
    expect(stored?.headers).toMatchObject({
      "content-type": "application/cloudevents+json",
      ce_id: "name:inventory;lsn:29274832",
      "x-debezium-tenant": Buffer.from("north").toString("base64"),
    });
    expect(JSON.stringify(stored?.headers)).not.toContain("Bearer");
  }, 60_000);
});

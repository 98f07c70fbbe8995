/** The audit entries in a station, on real Kafka. */
import { jest } from "@jest/globals";
import { Kafka, logLevel } from "kafkajs";
import { ADMIN_TOKEN, signIn, startGateway } from "../support/gateway.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";

jest.setTimeout(120_000);

const VIEWER = "viewer-token-of-the-tests-0000000";

describeKafka("the station of the audit", (kafka) => {
  it("has an entry for each change, and nobody else can add to it", async () => {
    const [orders, audit] = [uniqueName("orders"), uniqueName("audit")];
    await using gateway = await startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        stations: [orders, audit].map((name) => ({ name, partitions: 1 })),
        audit: { station: audit },
        admin: {
          ...{ host: "127.0.0.1", port: 0, token: ADMIN_TOKEN },
          tokens: [{ name: "look", token: VIEWER, role: "viewer" }],
        },
      },
    });
    const addEvent = (station: string, token: string): Promise<number> =>
      fetch(`${gateway.adminUrl}/stations/${station}/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ value: '"secret of the event"' }),
      }).then(({ status }) => status);
    expect(await addEvent(orders, ADMIN_TOKEN)).toBe(200);
    expect(await addEvent(orders, VIEWER)).toBe(403);
    expect(await addEvent(audit, ADMIN_TOKEN)).toBe(403);
    const byClient = await fetch(`${gateway.url}/stations/${audit}/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${await signIn(gateway)}`, "content-type": "application/json" },
      body: "{}",
    });
    expect(byClient.status).toBe(403);

    const consumer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).consumer({
      groupId: uniqueName("audit-reader"),
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [audit], fromBeginning: true });
    const records = await new Promise<
      readonly { key: string; type: string; entry: Record<string, unknown> }[]
    >((resolve, reject) => {
      const found: { key: string; type: string; entry: Record<string, unknown> }[] = [];
      consumer
        .run({
          eachMessage: ({ message: { key, value, headers } }) => {
            const entry = JSON.parse(String(value)) as Record<string, unknown>;
            found.push({ key: String(key), type: String(headers?.["content-type"]), entry });
            if (found.length === 3) resolve(found);
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    const shared = { action: "station.event", via: "token", address: "127.0.0.1", msg: "audit" };
    const id = expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/) as unknown;
    expect(records).toMatchObject([
      {
        ...{ key: orders, type: "application/json" },
        entry: { ...shared, id, actor: "admin", role: "admin", target: orders, outcome: "done", status: 200 },
      },
      {
        key: orders,
        entry: {
          ...shared,
          id,
          actor: "look",
          role: "viewer",
          target: orders,
          outcome: "refused",
          status: 403,
        },
      },
      {
        key: audit,
        entry: { ...shared, id, actor: "admin", target: audit, outcome: "refused", status: 403 },
      },
    ]);
    expect(new Set(records.map(({ entry }) => entry["id"])).size).toBe(3);
    expect(JSON.stringify(records)).not.toContain("secret");
  });
});

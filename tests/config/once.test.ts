import { faultsOf, settingsOf } from "./support.ts";

const station = (once: string) => ({ yaml: `stations: [{ name: orders, once: ${once} }]` });

describe("once of a station", () => {
  it("has an id and a window, and is strict", () => {
    const [orders, plain] = settingsOf({
      yaml: "stations: [{ name: orders, once: { id: /eventId, window: 1h } }, { name: plain }]",
    }).stations;

    expect(orders?.once).toEqual({ id: "/eventId", window: 3_600_000, strict: true });
    expect(plain).not.toHaveProperty("once");
  });

  it.each(["/a~1b/0", "header:x-event-id", "header:orderId", "cloudevents"])("takes the id %s", (id) => {
    expect(faultsOf(station(`{ id: "${id}", window: 30d, strict: false }`))).toEqual([]);
  });

  it.each([
    "",
    "eventId",
    "/a~2",
    "header:",
    "header:a b",
    "header:x-stationgate-once",
    "header:X-Webhook-Id",
    "header:x-webhook-source",
    "cloudevent",
  ])("refuses the id %j", (id) => {
    expect(faultsOf(station(`{ id: "${id}", window: 1h }`)).join("\n")).toContain(
      `stations[0].once.id: got ${JSON.stringify(id)}, allowed: a JSON pointer such as /eventId, header:<name> such as header:x-event-id (not a header that the gateway writes), or cloudevents`,
    );
  });

  it.each([
    ["{ window: 1h }", "stations[0].once.id: got nothing"],
    [
      "{ id: /a }",
      "stations[0].once.window: got nothing, allowed: a duration greater than 0 and at most 30d",
    ],
    ["{ id: /a, window: 31d }", 'stations[0].once.window: got "31d"'],
    ["{ id: /a, window: 0 }", "stations[0].once.window: got 0"],
  ])("refuses %s", (once, fault) => {
    expect(faultsOf(station(once)).join("\n")).toContain(fault);
  });
});

it("lets a webhook source choose availability", () => {
  const { webhooks } = settingsOf({
    yaml: `autoCreateStations: true
webhooks:
  - { source: a, station: s, scheme: github, secrets: [x] }
  - { source: b, station: s, scheme: none, once: { strict: false } }`,
  });

  expect(webhooks.map(({ once }) => once)).toEqual([{ strict: true }, { strict: false }]);
});

describe("the section once", () => {
  it.each([
    [
      "{ maxIds: 3, partitions: 4 }",
      "once.maxIds: got 3, allowed: a number that is not less than once.partitions (4)",
    ],
    ["{ maxIds: 11 }", "once.maxIds: got 11, allowed: a number that is not less than once.partitions (12)"],
    ["{ partitions: 0 }", "once.partitions: got 0, allowed: a whole number from 1 to 1000"],
    ["{ callWindow: 31d }", 'once.callWindow: got "31d"'],
    ["{ topic: orders }", 'once.topic: got "orders", allowed: _stationgate- followed by'],
    [
      "{ topic: _stationgate-connectors }",
      'once.topic: got "_stationgate-connectors", allowed: a topic other than delivery.connectorsTopic',
    ],
    [
      "{ topic: _stationgate-readers }",
      'once.topic: got "_stationgate-readers", allowed: a topic other than reading.topic',
    ],
  ])("refuses %s", (once, fault) => {
    expect(faultsOf({ yaml: `once: ${once}` }).join("\n")).toContain(fault);
  });

  it.each(["once", "readers"])("keeps the group of the gateways from a reader named %s", (name) => {
    const yaml = `auth: { apiKeys: [{ id: ${name}, key: ${"k".repeat(32)}, consume: ["*"] }] }`;

    expect(faultsOf({ yaml }).join("\n")).toContain(
      `auth.apiKeys[0].id: got "${name}", allowed: another name for a reader (the gateways use the consumer group stationgate-${name})`,
    );
  });
});

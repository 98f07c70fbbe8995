import { join } from "node:path";
import { faultsInUse, requireUsable } from "../../src/app/settings-check.ts";
import { loadDeclared } from "../../src/app/wire-ingest.ts";
import { createLog } from "../../src/observability/logger/logger.ts";
import { settingsOf } from "../config/support.ts";

const AUDIT = "audit: { station: ops }\nstations: [{ name: ops, topic: TRANSACTION.dead-letter }]\n";

const eventService = (kafka: string, isEnabled = true): string =>
  `eventService:
  events: { enabled: ${isEnabled}, queue: { type: kafka, kafka: { ${kafka} } } }
  event_processor: { callback_api_request: { enabled: true } }
  callback_api: { base_url: "http://127.0.0.1:1/", auth: { type: none } }
`;

it.each([
  ["it uses the gateway's broker", AUDIT + eventService(""), 1],
  ["the audit has another topic", `${eventService("")}audit: { station: ops }\nautoCreateStations: true`, 0],
  ["there is no audit station", eventService(""), 0],
  ["the event service has a Kafka of its own", AUDIT + eventService("bootstrap_server: 'kafka:9092'"), 0],
  ["the event service is off", AUDIT + eventService("", false), 0],
  ["no role delivers", `${AUDIT}${eventService("")}roles: [ingest]`, 0],
])("the event service's dead-letter topic as the audit's topic, if %s: %#", async (_, yaml, count) => {
  expect(await faultsInUse(settingsOf({ yaml }))).toEqual(
    Array(count).fill(
      'audit.station: its topic "TRANSACTION.dead-letter" has the dead letters of the event service',
    ),
  );
});

it("gives the start its compiled schemas", async () => {
  const file = join(import.meta.dirname, "../../schemas/order.json");
  const settings = settingsOf({
    yaml: `stations: [{ name: orders, schema: { type: json-schema, file: ${file} } }]`,
  });
  const checked = await requireUsable(settings);
  const log = createLog({ level: "silent" });
  const [orders] = await loadDeclared(settings, { registry: undefined, log, previous: checked });
  expect(orders?.validator).toBeDefined();
  expect(orders?.validator).toBe(checked[0]?.validator);
});

/** A gateway whose homes of ids can't be used, because nothing signs the requests between gateways. */
import { type Gateway, startGateway } from "../../src/app.ts";
import { createLog } from "../../src/observability/logger/logger.ts";
import { settingsOf } from "../config/support.ts";

const REFUSED = {
  code: "SETTINGS_INVALID",
  message:
    "stations[orders].once can't be used: there is no auth.accessToken.secret, no API key of kind server and no reading.peer.secret",
};

/** There is no listener. The reason is known without Kafka. */
const settingsWith = (stations: string) =>
  settingsOf({
    yaml: `server: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
broker: { type: kafka, kafka: { brokers: ["127.0.0.1:9"], deliveryTimeout: 1s } }
log: { level: silent }
stations: ${stations}
`,
  });
const WITHOUT = settingsWith("[{ name: orders }]");
const WITH = settingsWith("[{ name: orders, once: { id: /id, window: 1h } }]");

const start = (settings: typeof WITH): Promise<Gateway> =>
  startGateway(settings, createLog({ level: "silent" }), {
    tls: {},
    reload: { reload: () => Promise.reject(new Error("no reload")), status: () => ({}) as never },
  });

it("refuses a station with once at the start", async () => {
  await expect(start(WITH)).rejects.toMatchObject(REFUSED);
});

it("refuses the first station with once at a reload, and takes other settings", async () => {
  const gateway = await start(WITHOUT);
  await expect(gateway.prepare(WITH, {})).rejects.toMatchObject(REFUSED);
  (await gateway.prepare(WITHOUT, {})).swap();
  await gateway.stop(1000);
});

/** What was acknowledged is there after the process was killed; nothing acknowledged is lost in a shutdown. */
import { setTimeout as sleep } from "node:timers/promises";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";
import { startLoad, type LoadReport } from "../support/load.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";

const CLIENTS = 64;
const ENOUGH = 3000;

describeOnEachBroker("durability", (broker) => {
  const idsOf = async (gateway: Gateway, station: string): Promise<Set<string>> =>
    new Set(
      (await broker.readAll(gateway, station)).map(
        ({ value }) => (JSON.parse(value.toString()) as { id: string }).id,
      ),
    );

  const lost = async (gateway: Gateway, station: string, report: LoadReport): Promise<string[]> => {
    const stored = await idsOf(gateway, station);
    return report.acknowledged.filter((id) => !stored.has(id));
  };

  it("keeps every acknowledged event when the process is killed under load", async () => {
    const station = uniqueName("killed");
    const first = await startGateway({ settings: { broker: broker.settings() } });
    const load = startLoad({ url: first.url, token: await signIn(first), station, clients: CLIENTS });
    await load.acknowledged(ENOUGH);
    await first.stop("SIGKILL");
    const report = await load.stop();
    const second = await first.restart();
    expect(report.acknowledged.length).toBeGreaterThanOrEqual(ENOUGH);
    expect(await lost(second, station, report)).toEqual([]);
    await second[Symbol.asyncDispose]();
  }, 120_000);

  it("ends with 0 on SIGTERM under load: no request reset, nothing acknowledged lost", async () => {
    const station = uniqueName("stopped");
    const first = await startGateway({ settings: { broker: broker.settings() } });
    const load = startLoad({ url: first.url, token: await signIn(first), station, clients: CLIENTS });
    await load.acknowledged(ENOUGH);
    const exitCode = await first.stop("SIGTERM");
    const report = await load.stop();
    const second = await first.restart();
    expect(exitCode).toBe(0);
    // A client that comes after the end finds the port closed; whoever was connected got an answer.
    expect([...report.broken.keys()].filter((code) => code !== "ECONNREFUSED")).toEqual([]);
    expect(await lost(second, station, report)).toEqual([]);
    await second[Symbol.asyncDispose]();
  }, 120_000);

  it("is not ready while it shuts down", async () => {
    const gateway = await startGateway({ settings: { broker: broker.settings() } });
    const ready = async (): Promise<number> => (await fetch(`${gateway.url}/readyz`)).status;
    while ((await ready()) !== 200) await sleep(50);
    expect(await gateway.stop("SIGTERM")).toBe(0);
    await expect(ready()).rejects.toThrow("fetch failed");
    await gateway[Symbol.asyncDispose]();
  }, 60_000);
});

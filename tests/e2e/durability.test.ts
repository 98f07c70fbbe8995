/** Acknowledged events survive kill -9 and a shutdown. */
import { setTimeout as sleep } from "node:timers/promises";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";
import { startLoad, type LoadReport } from "../support/load.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";

const CLIENTS = 64;
const ENOUGH = 3000;

describeOnEachBroker("a gateway under load", (broker) => {
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

  it("keeps each acknowledged event over kill -9", async () => {
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

  it("exits with 0 on SIGTERM without resetting a request or losing an acknowledged event", async () => {
    const station = uniqueName("stopped");
    const first = await startGateway({ settings: { broker: broker.settings() } });
    const load = startLoad({ url: first.url, token: await signIn(first), station, clients: CLIENTS });
    await load.acknowledged(ENOUGH);
    const exitCode = await first.stop("SIGTERM");
    const report = await load.stop();
    const second = await first.restart();
    expect(exitCode).toBe(0);
    // A later client finds the port closed. Each connected client got an answer.
    expect([...report.broken.keys()].filter((code) => code !== "ECONNREFUSED")).toEqual([]);
    expect(await lost(second, station, report)).toEqual([]);
    await second[Symbol.asyncDispose]();
  }, 120_000);

  it("is not ready during its shutdown", async () => {
    const gateway = await startGateway({ settings: { broker: broker.settings() } });
    const ready = async (): Promise<number> => (await fetch(`${gateway.url}/readyz`)).status;
    while ((await ready()) !== 200) await sleep(50);
    expect(await gateway.stop("SIGTERM")).toBe(0);
    await expect(ready()).rejects.toThrow("fetch failed");
    await gateway[Symbol.asyncDispose]();
  }, 60_000);
});

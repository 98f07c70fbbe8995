/** Ids of events on an embedded log whose disk is full when the gateway starts. */
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";

const MIB = 1024 * 1024;

describeOnSmallDisks("ids of events on a small disk", (kind) => {
  let disk: SmallDisk;
  beforeEach(() => {
    disk = mountSmallDisk(64, kind);
  });
  afterEach(() => {
    disk.unmount();
  });

  const start = (): Promise<Gateway> =>
    startGateway({
      settings: {
        broker: { type: "embedded", embedded: { dir: path.join(disk.directory, "data") } },
        stations: [{ name: "orders", partitions: 1, once: { id: "/id", window: "1h" } }],
      },
    });

  const produce = async (gateway: Gateway, token: string, id: string) => {
    const answer = await fetch(`${gateway.url}/stations/orders/produce/batch`, {
      ...{ method: "POST", body: JSON.stringify([{ id }]) },
      headers: {
        ...{ authorization: `Bearer ${token}`, "content-type": "application/json" },
        prefer: "return=representation",
      },
    });
    const { results } = (await answer.json()) as { results?: readonly { status: string }[] };
    return { status: answer.status, outcome: results?.[0]?.status };
  };

  it("are refused with 503, and are stored and remembered without a restart when there is room", async () => {
    await using first = await start();
    expect(await produce(first, await signIn(first), "1")).toEqual({ status: 200, outcome: "stored" });
    await first.stop();

    await disk.fill(MIB);
    await using gateway = await first.restart();
    const token = await signIn(gateway);
    expect((await produce(gateway, token, "2")).status).toBe(503);

    await disk.free();
    while ((await produce(gateway, token, "1")).status !== 200) await sleep(100);
    expect(await produce(gateway, token, "1")).toEqual({ status: 200, outcome: "duplicate" });
    expect(await produce(gateway, token, "2")).toEqual({ status: 200, outcome: "stored" });
    expect(await produce(gateway, token, "2")).toEqual({ status: 200, outcome: "duplicate" });
  }, 120_000);
});

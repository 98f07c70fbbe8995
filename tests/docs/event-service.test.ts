/** Runs the receiver of the guide against the event service. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signingKey, stellarSignature } from "../../src/delivery/event-service/callbacks.ts";
import { changed, createRig, type Rig } from "../delivery/event-service/rig.ts";
import { SEED, VECTORS } from "../delivery/event-service/vectors.ts";

const [, receiver = ""] =
  /```js\n(\/\/ receiver\.mjs.*?)```/s.exec(readFileSync("docs/guides/event-service.md", "utf8")) ?? [];

let folder: string;
let child: ChildProcess;
let output = "";
let port = "";
let rig: Rig;

const printed = async (text: RegExp): Promise<RegExpExecArray> => {
  for (;;) {
    const match = text.exec(output);
    if (match !== null) return match;
    await once(child.stdout ?? child, "data");
  }
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stationgate-receiver-"));
  writeFileSync(join(folder, "receiver.mjs"), receiver);
  child = spawn(process.execPath, [join(folder, "receiver.mjs")], {
    env: { ACCOUNT: VECTORS.stellarSignature.account, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  [, port = ""] = await printed(/listening on (\d+)\n/);
  rig = await createRig();
});

afterAll(async () => {
  child.kill();
  await rig.close();
  rmSync(folder, { recursive: true });
});

/** Posts a body with a signature of this age and for this host. */
const post = async (
  body: string,
  { age = 0, host = `localhost:${port}`, signed = body } = {},
): Promise<number> => {
  const t = Math.floor(Date.now() / 1000) - age;
  const signature = stellarSignature(signingKey(SEED), { t, host, body: Buffer.from(signed) });
  const { status } = await fetch(`http://localhost:${port}/`, {
    method: "POST",
    headers: { signature },
    body,
  });
  return status;
};

describe("the receiver of docs/guides/event-service.md", () => {
  it("has at most 20 lines", () => {
    const lines = receiver.split("\n").filter((line) => line !== "" && !line.startsWith("//"));

    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(20);
  });

  it("accepts the callbacks of the event service", async () => {
    const callbackUrls = { sep24: `http://localhost:${port}/callbacks/sep24` };
    rig.start({ clients: [{ name: "lobstr", domains: [], signingKeys: [], callbackUrls }] });
    await rig.write([changed("e1", { id: "t1", status: "completed" })]);
    await printed(/\{"transaction":\{"id":"t1","status":"completed","sep":"24"\}\}\n/);

    expect(rig.attempts.every(({ status }) => status === 204)).toBe(true);
  });

  it("refuses a callback that is old, changed, for another host, or unsigned", async () => {
    const unsigned = await fetch(`http://localhost:${port}/`, { method: "POST", body: "{}" });

    expect(await post("{}")).toBe(204);
    expect(await post("{}", { age: 110 })).toBe(204);
    expect(await post("{}", { age: 130 })).toBe(401);
    expect(await post("{}", { signed: "{ }" })).toBe(401);
    expect(await post("{}", { host: "localhost" })).toBe(401);
    expect(unsigned.status).toBe(401);
  });
});

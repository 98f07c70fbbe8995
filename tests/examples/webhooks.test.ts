/** Runs the webhook examples: the declared sources, and requests that openssl signs. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { describeWithTools } from "../support/tools.ts";

const FOLDER = "examples/webhooks";

describeWithTools("examples/webhooks", ["curl", "openssl"], () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway({
      env: { STATIONGATE_WEBHOOKS: await readFile(`${FOLDER}/sources.json`, "utf8") },
    });
  }, 30_000);
  afterAll(() => gateway[Symbol.asyncDispose]());

  const send = async (source: string, secret?: string): Promise<string> => {
    const env = { PATH: process.env["PATH"], GATEWAY: gateway.url, ...(secret && { SECRET: secret }) };
    const { stdout } = await promisify(execFile)("sh", [`${FOLDER}/send.sh`, source], { env });
    return stdout.trim();
  };

  it.each(["github", "stripe", "slack", "shopify", "standard", "gitlab", "events", "own"])(
    "%s: a valid signature is answered with 202; an invalid signature with 401, and it is counted",
    async (source) => {
      expect(await send(source)).toBe("202");
      expect(await send(source, "wrong")).toBe("401");
      const metrics = await fetch(`${gateway.adminUrl}/metrics`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      expect(await metrics.text()).toContain(`stationgate_webhook_refusals_total{source="${source}"} 1\n`);
    },
  );

  it("declares the sources that it sends", async () => {
    const answer = await fetch(`${gateway.url}/webhooks/none-such`, { method: "POST", body: "{}" });
    expect(answer.status).toBe(404);
  });
});

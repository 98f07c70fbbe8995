import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../support/kafka/certificates.ts";
import { describeWithTools } from "../support/tools.ts";
import { errorOf, open, start, textOf, TIMEOUT } from "./support.ts";

describe("the addresses of the registry", () => {
  it.each([
    ["cannot be connected", "refusing"],
    ["answers 5xx", { status: 502, body: "" }],
  ] as const)("are asked in turn if one %s, and the one that answered last comes first", async (_, state) => {
    const [one, other] = [await start(), await start()];
    other.add("orders-value", textOf("Order"));
    await one.become(state);
    const { schemas, lines } = open([one.url, other.url]);
    expect(await schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    const asked = one.requests.length;
    expect(await schemas.schemaOf(2)).toBeUndefined();
    expect(one.requests).toHaveLength(asked);
    expect(lines).toEqual([]);
  });

  it("are asked in turn after a timeout", async () => {
    const [one, other] = [await start(), await start()];
    other.add("orders-value", textOf("Order"));
    await one.become("frozen");
    const { schemas, clock } = open([one.url, other.url]);
    const found = schemas.schemaOf(1);
    await one.received(1);
    clock.advance(TIMEOUT);
    expect(await found).toMatchObject({ name: "Order" });
  });

  it("are not asked in turn after another answer", async () => {
    const [one, other] = [await start(), await start()];
    await one.become({ status: 429, body: "" });
    const { schemas } = open([one.url, other.url]);
    expect((await errorOf(() => schemas.schemaOf(1))).code).toBe("REGISTRY_UNAVAILABLE");
    expect(other.requests).toHaveLength(0);
  });

  it.each(["", "/", "///"])("keep their path, with %j at its end", async (end) => {
    const registry = await start({ path: "/apis/ccompat/v7" });
    registry.add("orders-value", textOf("Order"));
    const { schemas } = open([`${registry.url}${end}`]);
    expect(await schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    expect(registry.asked).toEqual(["GET /apis/ccompat/v7/schemas/ids/1"]);
  });

  it("send a request once more if a kept connection breaks", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Order"));
    const { schemas, lines } = open([registry.url]);
    expect(await schemas.schemaOf(7)).toBeUndefined();
    await registry.become("refusing");
    await registry.become("up");
    expect(await schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    expect(lines).toEqual([]);
  });
});

describe("the credential", () => {
  const basic = `Basic ${Buffer.from("ü:p@s:s").toString("base64")}`;

  it.each([
    ["basic", basic, { credential: { type: "basic", username: "ü", password: "p@s:s" } }, ""],
    ["bearer", "Bearer t0ken", { credential: { type: "bearer", token: "t0ken" } }, ""],
    ["user info", basic, {}, "%C3%BC:p%40s%3As@"],
  ] as const)("is sent as %s", async (_, authorization, options, userinfo) => {
    const registry = await start({ authorization });
    registry.add("orders-value", textOf("Order"));
    const { schemas } = open([registry.url.replace("//", `//${userinfo}`)], options);
    expect(await schemas.schemaOf(1)).toMatchObject({ name: "Order" });
  });

  it("is in no error text and in no log line", async () => {
    const registry = await start();
    await registry.become("refusing");
    const { schemas, lines } = open([registry.url.replace("//", "//user:hush@")]);
    const { message } = await errorOf(() => schemas.schemaOf(1));
    expect(message).toContain("ECONNREFUSED");
    expect(`${message} ${lines.join(" ")}`).not.toMatch(/hush|127\.0\.0\.1/);
  });
});

describeWithTools("TLS to the registry", ["openssl"], () => {
  it("verifies the registry by ca, and shows the client's certificate", async () => {
    const folder = await mkdtemp(join(tmpdir(), "stationgate-registry-"));
    try {
      const { ca, server, client } = await makeCertificates(folder);
      const tls = { ...server, ca, requestCert: true, rejectUnauthorized: true };
      const registry = await start({ tls });
      registry.add("orders-value", textOf("Order"));
      const trusted = open([registry.url], { tls: { ca, ...client } });
      expect(await trusted.schemas.schemaOf(1)).toMatchObject({ name: "Order" });
      for (const files of [{ ca }, client, {}]) {
        const { code } = await errorOf(() => open([registry.url], { tls: files }).schemas.schemaOf(1));
        expect(code).toBe("REGISTRY_UNAVAILABLE");
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);
});

/** Tokens for Amazon MSK: the package of AWS signs them; this is what the gateway asks it for and what comes out. */
import { createHash, createHmac } from "node:crypto";
import { jest } from "@jest/globals";
import { createMskFetch, type MskSigner } from "../../../../src/broker/kafka/sign-in/msk.ts";

const NOW = Date.UTC(2026, 10, 28, 12, 0, 0);
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  AWS_SESSION_TOKEN: "session/token==",
};

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** RFC 3986: the encoding of Signature Version 4. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The signature of the query by AWS' description of Signature Version 4, for `Action=kafka-cluster:Connect` in the region. */
const signatureOf = (query: URLSearchParams, region: string, secret: string): string => {
  const date = query.get("X-Amz-Date") ?? "";
  const day = date.slice(0, 8);
  const signed = [...query].filter(([name]) => !["X-Amz-Signature", "User-Agent"].includes(name)).sort();
  const canonical = [
    "GET",
    "/",
    signed.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&"),
    `host:kafka.${region}.amazonaws.com\n`,
    "host",
    createHash("sha256").update("").digest("hex"),
  ].join("\n");
  const scope = `${day}/${region}/kafka-cluster/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), "kafka-cluster"), "aws4_request");
  return hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${digest}`).toString("hex");
};

describe("a token for MSK", () => {
  const given = { ...process.env };

  beforeEach(() => {
    jest.useFakeTimers({ now: NOW, doNotFake: ["nextTick", "setImmediate", "setTimeout", "queueMicrotask"] });
    Object.assign(process.env, CREDENTIALS);
  });

  afterEach(() => {
    jest.useRealTimers();
    process.env = { ...given };
  });

  it("is a signed request to connect, as AWS describes it", async () => {
    const region = "eu-central-1";
    const signer = await import("aws-msk-iam-sasl-signer-js");
    const fetched = await createMskFetch({ region, roleArn: undefined, signer, now: Date.now })();
    const url = new URL(Buffer.from(fetched.token, "base64url").toString());
    expect(url.host).toBe(`kafka.${region}.amazonaws.com`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: "kafka-cluster:Connect",
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": `AKIDEXAMPLE/20261128/${region}/kafka-cluster/aws4_request`,
      "X-Amz-Date": "20261128T120000Z",
      "X-Amz-Expires": "900",
      "X-Amz-Security-Token": CREDENTIALS.AWS_SESSION_TOKEN,
      "X-Amz-SignedHeaders": "host",
    });
    expect(url.searchParams.get("X-Amz-Signature")).toBe(
      signatureOf(url.searchParams, region, CREDENTIALS.AWS_SECRET_ACCESS_KEY),
    );
    expect(fetched.lifetime).toBe(900_000);
  });

  it("is signed with the rights of the role, if one is given", async () => {
    const asked: unknown[] = [];
    const signed = Promise.resolve({ token: "one", expiryTime: NOW + 60_000 });
    const signer: MskSigner = {
      generateAuthToken: () => Promise.reject(new Error("not this one")),
      generateAuthTokenFromRole: (options) => {
        asked.push(options);
        return signed;
      },
    };
    const roleArn = "arn:aws:iam::123456789012:role/gateway";
    const fetched = await createMskFetch({ region: "eu-central-1", roleArn, signer, now: () => NOW })();
    expect(fetched).toEqual({ token: "one", lifetime: 60_000 });
    expect(asked).toEqual([
      { region: "eu-central-1", awsRoleArn: roleArn, awsRoleSessionName: "stationgate" },
    ]);
  });

  it("fails with the reason of AWS", async () => {
    const failing = () => Promise.reject(new Error("Could not load credentials from any providers"));
    const signer: MskSigner = { generateAuthToken: failing, generateAuthTokenFromRole: failing };
    const fetch = createMskFetch({ region: "eu-central-1", roleArn: undefined, signer, now: () => NOW });
    await expect(fetch()).rejects.toThrow(
      "AWS gives no token: Could not load credentials from any providers",
    );
  });
});

/** Bodies that the Anchor Platform's event service (4.3.0) made. Clients and the business server get the same bytes. */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import jwt from "jsonwebtoken";
import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { createBusinessServer, createClientCallback } from "../../../src/delivery/event-service/callbacks.ts";
import { isForIn, type CallbackClient } from "../../../src/delivery/event-service/callback-client.ts";
import { createEventReader } from "../../../src/delivery/event-service/event.ts";
import type { MoreInfoOptions } from "../../../src/delivery/event-service/more-info-url.ts";

interface Vector {
  readonly name: string;
  /** The record's value. */
  readonly event: string;
  readonly client: {
    readonly name: string;
    readonly domains?: readonly string[];
    readonly signing_keys?: readonly string[];
    readonly callback_urls: Readonly<Record<string, string>>;
  };
  readonly own?: boolean;
  readonly settings?: "none";
  readonly expect: {
    readonly outcome: "sent" | "none" | "dead-letter";
    readonly callback_url: string | null;
    readonly client_body: string | null;
    readonly business_body: string | null;
    readonly more_info_token?: {
      readonly header: object;
      readonly claims: object;
      readonly expires_after_seconds: number;
      readonly secret: string;
    };
  };
}

interface MoreInfoSettings {
  readonly base_url: string;
  readonly jwt_expiration: number;
  readonly txn_fields: readonly string[];
}

interface Vectors {
  readonly settings: Readonly<Record<string, MoreInfoSettings & string>>;
  readonly vectors: readonly Vector[];
}

const { settings, vectors } = JSON.parse(
  readFileSync(new URL("event-service-bodies.json", import.meta.url), "utf8"),
) as Vectors;

const NOW = Date.parse("2024-03-05T06:07:08.009Z");

const key = createPrivateKey(
  generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
);

const secretOf = (sep: string): string => settings[`SECRET_SEP${sep}_MORE_INFO_URL_JWT_SECRET`] ?? "";

const moreInfoOf = (sep: string): MoreInfoOptions => {
  const given = settings[`sep${sep}.more_info_url`];
  if (given === undefined) throw new Error(`no settings for SEP ${sep}`);
  const { base_url: baseUrl, jwt_expiration: ttlSeconds, txn_fields: txnFields } = given;
  return { baseUrl, ttlSeconds, txnFields, secret: secretOf(sep) };
};

const clientOf = ({ client }: Vector): CallbackClient => ({
  name: client.name,
  domains: client.domains ?? [],
  signingKeys: client.signing_keys ?? [],
  callbackUrls: client.callback_urls,
});

const recordOf = ({ event }: Vector): ConsumedRecord => ({
  topic: "TRANSACTION",
  partition: 0,
  offset: 0n,
  timestamp: NOW,
  key: null,
  value: Buffer.from(event),
  headers: [],
});

const callbackOf = (vector: Vector, scope: "own" | "all") => {
  const client = clientOf(vector);
  return createClientCallback({
    client,
    key,
    read: createEventReader(),
    isFor: isForIn(scope, [client]),
    bodies: {
      form: "sep",
      moreInfo: vector.settings === "none" ? {} : { "6": moreInfoOf("6"), "24": moreInfoOf("24") },
      clientNameOf: (domain) => (client.domains.includes(domain) ? client.name : undefined),
    },
  });
};

const TOKEN = /(?<=&token=)[\w.-]+/;

const withOutcome = (outcome: Vector["expect"]["outcome"]) =>
  vectors.filter(({ expect: { outcome: expected } }) => expected === outcome);

it("there are vectors of each outcome", () => {
  const count = (outcome: Vector["expect"]["outcome"]): number => withOutcome(outcome).length;
  expect([count("sent"), count("none"), count("dead-letter")]).toStrictEqual([81, 8, 8]);
});

describe.each(withOutcome("sent"))("$name", (vector) => {
  it("is sent to the client", () => {
    const endpoint = callbackOf(vector, "all");
    const record = recordOf(vector);
    expect([endpoint.concerns?.(record), endpoint.admit(record)]).toStrictEqual([true, "deliver"]);
    const { origin, path, body } = endpoint.render(record, NOW);
    expect(`${origin}${path}`).toBe(vector.expect.callback_url);
    expect(body?.toString().replace(TOKEN, "{token}")).toBe(vector.expect.client_body);
  });

  it("has a more_info_url with the expected claims, or no URL", () => {
    const body = callbackOf(vector, "all").render(recordOf(vector), NOW).body?.toString() ?? "";
    const { more_info_token: token } = vector.expect;
    const exp = Math.floor(NOW / 1000) + (token?.expires_after_seconds ?? 0);
    const expected = token && [token.header, { ...token.claims, exp }];
    expect(tokenIn(body, settings[token?.secret ?? ""] ?? "")).toStrictEqual(expected);
  });
});

/** Header and claims of the token in a body. */
const tokenIn = (body: string, secret: string): readonly unknown[] | undefined => {
  const [token] = TOKEN.exec(body) ?? [];
  if (token === undefined) return undefined;
  const { header, payload } = jwt.verify(token, secret, { complete: true, clockTimestamp: NOW / 1000 });
  return [header, payload];
};

it.each(withOutcome("dead-letter"))("$name: becomes a dead letter", (vector) => {
  const endpoint = callbackOf(vector, "all");
  expect(endpoint.concerns?.(recordOf(vector))).toBe(true);
  expect(endpoint.admit(recordOf(vector))).toStrictEqual({ deadLetter: expect.any(String) as string });
});

it.each(withOutcome("none"))("$name: is not sent to the client", (vector) => {
  expect(callbackOf(vector, "all").concerns?.(recordOf(vector))).toBe(false);
});

it.each(withOutcome("sent").filter(({ own }) => own !== undefined))(
  "$name: belongs to the client if the vector says so",
  (vector) => {
    expect(callbackOf(vector, "own").concerns?.(recordOf(vector))).toBe(vector.own);
  },
);

it.each(vectors)("$name: is sent to the business server", (vector) => {
  const server = createBusinessServer({
    baseUrl: "https://business.example",
    keepBasePath: false,
    auth: { type: "none" },
    read: createEventReader(),
  });
  const record = recordOf(vector);
  expect(server.admit(record)).toBe("deliver");
  const body = server.render(record, NOW).body?.toString();
  expect(body?.replace(new Date(NOW).toISOString(), "{timestamp}")).toBe(vector.expect.business_body);
});

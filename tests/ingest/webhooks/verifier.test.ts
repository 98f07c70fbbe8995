import { createHmac } from "node:crypto";
import fc from "fast-check";
import type { SchemeName } from "../../../src/ingest/webhooks/verifier.ts";
import type { WebhookRequest } from "../../../src/ingest/webhooks/webhook.ts";
import {
  type AnySettings,
  ED25519_PUBLIC,
  failure,
  NOW,
  PUBLIC_URL,
  request,
  type Sender,
  type Sent,
  titled,
  verifierOf,
} from "./senders.ts";

const SECRETS = { secrets: ["s3cret"] };

const judge = (
  { scheme, settings, secret }: Pick<Sender, "scheme" | "settings" | "secret">,
  sent: Sent | WebhookRequest,
  now = NOW,
): string => {
  const verdict = verifierOf(scheme, { secrets: [secret], ...settings }).verify(
    request({ ...sent, headers: sent.headers as Record<string, string> }),
    now,
  );
  return verdict.status === "refused" ? verdict.reason : verdict.status;
};

const ask = (scheme: SchemeName, settings: AnySettings, sent: Sent) =>
  verifierOf(scheme, settings).verify(request(sent), NOW);

const deliveryId = (scheme: SchemeName, settings: AnySettings, sent: Sent): string | undefined => {
  const verdict = ask(scheme, settings, sent);
  if (verdict.status !== "verified") throw new Error(`it was ${verdict.status}`);
  return verdict.webhook.deliveryId;
};

describe.each(titled)("%s", (_title, sender) => {
  const good = sender.sign(sender.secret, sender.body);

  it("accepts a signed request, and passes the bytes on unchanged", () => {
    const verdict = ask(sender.scheme, { secrets: [sender.secret], ...sender.settings }, good);
    expect(verdict).toMatchObject({ status: "verified", webhook: { body: Buffer.from(sender.body) } });
  });

  it("accepts both secrets during a rotation, and no third secret", () => {
    const other = sender.secret.startsWith("wh")
      ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
      : "the other secret";
    for (const secrets of [
      [other, sender.secret],
      [sender.secret, other],
    ]) {
      expect(ask(sender.scheme, { ...sender.settings, secrets }, good).status).toBe("verified");
    }
    expect(judge({ ...sender, secret: other }, good)).toBe("credential-wrong");
  });

  it("refuses a request without one of the signed headers", () => {
    for (const name of Object.keys(good.headers ?? {}).filter((each) => each !== "content-type")) {
      const rest = Object.fromEntries(Object.entries(good.headers ?? {}).filter(([each]) => each !== name));
      expect([name, judge(sender, { ...good, headers: rest })]).toEqual([name, "credential-missing"]);
      expect(judge(sender, { ...good, headers: { ...rest, [name]: "" } })).toBe("credential-missing");
    }
  });

  it("refuses a changed body", () => {
    const bytes = Buffer.from(sender.body);
    fc.assert(
      fc.property(mutation(bytes), (body) => {
        expect(judge(sender, { ...good, body })).not.toBe("verified");
      }),
    );
  });

  it("accepts hex in upper case", () => {
    const upper = Object.entries(good.headers ?? {}).map(([name, value]) => [
      name,
      value.replace(/(?<![0-9a-z])[0-9a-f]{40,}$/, (code) => code.toUpperCase()),
    ]);
    expect(judge(sender, { ...good, headers: Object.fromEntries(upper) as Record<string, string> })).toBe(
      "verified",
    );
  });

  it("refuses a changed signature, time or id", () => {
    const named = Object.entries(good.headers ?? {}).filter(([name]) => name !== "content-type");
    fc.assert(
      fc.property(
        fc
          .constantFrom(...named)
          .chain(([name, value]) => fc.tuple(fc.constant(name), mutation(Buffer.from(value)))),
        ([name, value]) => {
          const text = value.toString("latin1");
          // Hex in the other case is the same signature.
          fc.pre(text.toLowerCase() !== good.headers?.[name]?.toLowerCase());
          expect(judge(sender, { ...good, headers: { ...good.headers, [name]: text } })).not.toBe("verified");
        },
      ),
    );
  });

  it("refuses the signature of another secret", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, maxLength: 40 }), (guess) => {
        const secret = sender.secret.startsWith("whsec_")
          ? `whsec_${Buffer.from(guess).toString("base64")}`
          : guess;
        fc.pre(secret !== sender.secret);
        expect(judge(sender, sender.sign(secret, sender.body))).toBe("credential-wrong");
      }),
    );
  });

  it("applies its tolerance to the past and the future", () => {
    const { tolerance = 1e12 } = sender;
    const beyond = sender.tolerance === undefined ? "verified" : "timestamp-outside";
    for (const side of [-1, 1]) {
      const at = (ms: number): string => judge(sender, good, NOW + side * ms);
      expect([at(tolerance), at(tolerance + 1)]).toEqual(["verified", beyond]);
    }
  });

  it("refuses a wrong signature with the same reason at every time", () => {
    expect(judge({ ...sender, secret: ED25519_PUBLIC }, sender.sign("whsec_AAAA", sender.body), 0)).not.toBe(
      "timestamp-outside",
    );
  });
});

/** The text with one byte changed, added or removed. Without spaces, because spaces around a header value have no meaning. */
const mutation = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .record({
      at: fc.nat({ max: Math.max(0, bytes.length - 1) }),
      byte: fc.integer({ min: 0x21, max: 0x7e }),
      how: fc.constantFrom("change", "insert", "delete"),
    })
    .map(({ at, byte, how }) => {
      const tail = bytes.subarray(how === "insert" ? at : at + 1);
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(how === "delete" ? [] : [byte]), tail]);
    })
    .filter((changed) => !changed.equals(bytes));

describe("createVerifier", () => {
  const without = (settings: Partial<AnySettings>): AnySettings => ({ ...SECRETS, ...settings });

  it.each<[SchemeName, AnySettings, string]>([
    ["github", { secrets: [] }, "one or two secrets"],
    ["github", { secrets: [""] }, "one or two secrets"],
    ["slack", { secrets: ["a", "b", "c"] }, "one or two secrets"],
    ["cloudevents", { secrets: [] }, "one or two secrets"],
    ["twilio", SECRETS, "publicUrl"],
    ["twilio", without({ publicUrl: "gw.example.com/x" }), "publicUrl"],
    ["twilio", without({ publicUrl: `${PUBLIC_URL}?a=1` }), "publicUrl"],
    ["standard-webhooks", { secrets: ["whsec_not base64"] }, "base64"],
    ["standard-webhooks", { secrets: ["whsec_eA=="] }, "24 to 64 bytes"],
    ["standard-webhooks", { secrets: [`whsec_${"AAEC".repeat(22)}`] }, "24 to 64 bytes"],
    ["standard-webhooks", { secrets: ["whpk_c2hvcnQ="] }, "32 bytes"],
  ])("refuses %s with %j", (scheme, settings, text) => {
    expect(failure(() => verifierOf(scheme, settings))).toMatchObject({
      code: "SETTINGS_INVALID",
      message: expect.stringContaining(text) as unknown,
    });
  });

  it.each(["GET", "OPTIONS", "PUT", "DELETE", "HEAD"])(
    "answers 405 to %s if it is not a handshake",
    (method) => {
      expect(failure(() => ask("github", SECRETS, { method }))).toMatchObject({
        code: "METHOD_NOT_ALLOWED",
        headers: { Allow: "POST" },
      });
    },
  );
});

describe("delivery ids", () => {
  const signed = (scheme: SchemeName, settings: Partial<AnySettings>, sent: Sent) => {
    const [, sender] = titled.find(([, each]) => each.scheme === scheme) ?? [];
    if (sender === undefined) throw new Error(`no sender of ${scheme}`);
    const good = sender.sign(sender.secret, sent.body === undefined ? sender.body : String(sent.body));
    return deliveryId(
      scheme,
      { secrets: [sender.secret], ...sender.settings, ...settings },
      { ...good, headers: { ...good.headers, ...sent.headers } },
    );
  };

  it.each<[SchemeName, Sent, string | undefined]>([
    ["github", { headers: { "x-github-delivery": "g1" } }, "g1"],
    ["github", {}, undefined],
    ["stripe", {}, "evt_1"],
    ["stripe", { body: '{"id":""}' }, undefined],
    ["stripe", { body: "[1,2" }, undefined],
    ["stripe", { body: '{"id":{"a":1}}' }, undefined],
    ["standard-webhooks", {}, "msg_1"],
    ["slack", {}, "Ev1"],
    ["shopify", { headers: { "x-shopify-event-id": "s1" } }, "s1"],
    ["twilio", { headers: { "i-twilio-idempotency-token": "t1" } }, "t1"],
    ["linear", { headers: { "linear-delivery": "l1" } }, "l1"],
    ["meta", {}, undefined],
    ["hmac", {}, "d1"],
  ])("%s %j is %s", (scheme, sent, id) => {
    expect(signed(scheme, {}, sent)).toBe(id);
  });

  it("of gitlab are the idempotency key or the webhook-id", () => {
    const headers = { "x-gitlab-token": "s3cret", "webhook-id": "w" };
    expect(deliveryId("gitlab", SECRETS, { headers })).toBe("w");
    expect(deliveryId("gitlab", SECRETS, { headers: { ...headers, "idempotency-key": "i" } })).toBe("i");
  });

  it("of cloudevents are ce-id or the id of a structured event", () => {
    const authorization = "Bearer s3cret";
    expect(deliveryId("cloudevents", SECRETS, { headers: { authorization, "ce-id": "c" } })).toBe("c");
    const structured = { authorization, "content-type": "application/cloudevents+json; charset=utf-8" };
    expect(deliveryId("cloudevents", SECRETS, { headers: structured, body: '{"id":"in"}' })).toBe("in");
    expect(
      deliveryId("cloudevents", SECRETS, { headers: { authorization }, body: '{"id":"in"}' }),
    ).toBeUndefined();
  });

  it.each([
    ["/data/id", '{"data":{"id":"p"}}', "p"],
    ["/data/id", '{"data":{"id":7}}', "7"],
    ["/a~1b/~0/0", '{"a/b":{"~":["x"]}}', "x"],
    ["/constructor/name", "{}", undefined],
  ])("of hmac are found at %s of %s", (idPointer, body, id) => {
    const settings = { secrets: ["generic"], header: "X-Sum", algorithm: "sha1", idPointer } as const;
    const sum = createHmac("sha1", "generic").update(body).digest("hex");
    expect(deliveryId("hmac", settings, { body, headers: { "x-sum": sum } })).toBe(id);
  });
});

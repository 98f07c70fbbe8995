/** Signatures from other implementations: published test vectors, and the vendors' own packages. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { sign as octokitSign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import type { SchemeName } from "../../../src/ingest/webhooks/verifier.ts";
import { type AnySettings, NOW, request, type Sent, verifierOf } from "./senders.ts";

interface Vector {
  readonly provider: string;
  readonly secret?: string;
  readonly publicKey?: string;
  readonly headers: Record<string, string>;
  readonly params?: Record<string, string>;
  readonly json?: { readonly url: string; readonly body: string; readonly sig: string };
}

const file = JSON.parse(readFileSync(path.join(import.meta.dirname, "vectors.json"), "utf8")) as {
  readonly bodyUtf8: string;
  readonly vectors: readonly Vector[];
};

const BODY = file.bodyUtf8;

const status = (scheme: SchemeName, settings: AnySettings, sent: Sent, now = NOW): string =>
  verifierOf(scheme, settings).verify(request(sent), now).status;

const vector = (provider: string): Vector => {
  const found = file.vectors.find((each) => each.provider === provider);
  if (found === undefined) throw new Error(`no vector of ${provider}`);
  return found;
};

describe("published vectors", () => {
  it.each<[string, SchemeName]>([
    ["github", "github"],
    ["stripe", "stripe"],
    ["standard-webhooks", "standard-webhooks"],
    ["standard-webhooks-v1a", "standard-webhooks"],
    ["slack", "slack"],
    ["shopify", "shopify"],
  ])("%s", (provider, scheme) => {
    const { secret, publicKey, headers } = vector(provider);
    const settings = { secrets: [secret ?? publicKey ?? ""] };
    expect(status(scheme, settings, { headers, body: BODY })).toBe("verified");
    expect(status(scheme, settings, { headers, body: `${BODY} ` })).toBe("refused");
  });

  it("standard-webhooks with Svix's header names", () => {
    const { secret = "", headers } = vector("standard-webhooks");
    const svix = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.replace("webhook-", "svix-"), value]),
    );
    expect(status("standard-webhooks", { secrets: [secret] }, { headers: svix, body: BODY })).toBe(
      "verified",
    );
  });

  it("linear, without a time in the body", () => {
    const { secret = "", headers } = vector("linear");
    const settings = { secrets: [secret] };
    const timed = { ...headers, "linear-timestamp": String(NOW) };
    expect(status("linear", settings, { headers: timed, body: BODY })).toBe("verified");
    expect(status("linear", settings, { headers, body: BODY })).toBe("refused");
  });

  it("twilio", () => {
    const { secret = "", headers, params, json } = vector("twilio");
    const settings = { secrets: [secret], publicUrl: "https://gw.example.com/hooks/twilio" };
    const form = { ...headers, "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams(params).toString();
    expect(status("twilio", settings, { headers: form, body, query: "foo=1&bar=2" })).toBe("verified");
    expect(status("twilio", settings, { headers: form, body, query: "foo=1&bar=3" })).toBe("refused");

    const [, query = ""] = json?.url.split("?") ?? [];
    const sent = { headers: { "x-twilio-signature": json?.sig ?? "" }, query };
    expect(status("twilio", settings, { ...sent, body: json?.body ?? "" })).toBe("verified");
    expect(status("twilio", settings, { ...sent, body: '{"a":2}' })).toBe("refused");
  });
});

describe("the vendors' own packages", () => {
  it("stripe", () => {
    const header = Stripe.webhooks.generateTestHeaderString({
      payload: BODY,
      secret: "whsec_abc",
      timestamp: NOW / 1000,
    });
    const sent = { body: BODY, headers: { "stripe-signature": header } };
    expect(status("stripe", { secrets: ["whsec_abc"] }, sent)).toBe("verified");
  });

  it("standardwebhooks", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const signature = new Webhook(secret).sign("msg_2", new Date(NOW), BODY);
    const headers = {
      "webhook-id": "msg_2",
      "webhook-timestamp": String(NOW / 1000),
      "webhook-signature": `v1,bm9uZQ== v2,x ${signature}`,
    };
    expect(status("standard-webhooks", { secrets: [secret] }, { headers, body: BODY })).toBe("verified");
  });

  it("@octokit/webhooks-methods", async () => {
    const headers = { "x-hub-signature-256": await octokitSign("secret", BODY) };
    expect(status("github", { secrets: ["secret"] }, { headers, body: BODY })).toBe("verified");
  });
});

/** Behaviour of single schemes: handshakes, secrets in plain text, and special cases of signatures. */
import { createHmac } from "node:crypto";
import type { SchemeName } from "../../../src/ingest/webhooks/verifier.ts";
import {
  type AnySettings,
  failure,
  NOW,
  PUBLIC_URL,
  request,
  type Sent,
  SENDERS,
  verifierOf,
} from "./senders.ts";

const SECRET = { secrets: ["s3cret"] };

const ask = (scheme: SchemeName, settings: AnySettings, sent: Sent) =>
  verifierOf(scheme, settings).verify(request(sent), NOW);

describe("slack", () => {
  const slack = SENDERS.find(({ scheme }) => scheme === "slack");
  const signed = (body: string, type = "application/json"): Sent => {
    const sent = slack?.sign("s3cret", body);
    return { ...sent, headers: { ...sent?.headers, "content-type": type } };
  };
  const CHALLENGE = '{"token":"x","challenge":"<b>3eZb</b>","type":"url_verification"}';

  it("answers a signed challenge as plain text that no browser shows as a page", () => {
    expect(ask("slack", SECRET, signed(CHALLENGE))).toEqual({
      status: "handshake",
      answer: {
        status: 200,
        headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
        body: "<b>3eZb</b>",
      },
    });
  });

  it("refuses an unsigned challenge", () => {
    expect(ask("slack", SECRET, { body: CHALLENGE })).toMatchObject({ status: "refused" });
  });

  it("answers 200 to the certificate check of a form", () => {
    const form = "application/x-www-form-urlencoded";
    expect(ask("slack", SECRET, signed("ssl_check=1&token=x", form))).toMatchObject({
      status: "handshake",
      answer: { status: 200, body: "" },
    });
    expect(ask("slack", SECRET, signed("ssl_check=1", "text/plain")).status).toBe("verified");
    expect(ask("slack", SECRET, signed("command=%2Fweather&text=here", form)).status).toBe("verified");
  });
});

describe("meta", () => {
  const settings = { ...SECRET, verifyToken: "known" };
  const subscribe = (query: string) => ask("meta", settings, { method: "GET", query });

  it("returns the challenge for the right token", () => {
    expect(subscribe("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=known")).toMatchObject({
      status: "handshake",
      answer: { status: 200, body: "1158201444" },
    });
  });

  it.each([
    "",
    "hub.mode=subscribe&hub.challenge=1&hub.verify_token=unknown",
    "hub.mode=subscribe&hub.challenge=1",
    "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=known",
    "hub.mode=subscribe&hub.verify_token=known",
  ])("refuses %s", (query) => {
    expect(failure(() => subscribe(query))).toMatchObject({ code: "HANDSHAKE_REFUSED", status: 403 });
  });

  it("has no handshake without a configured token", () => {
    expect(failure(() => ask("meta", SECRET, { method: "GET" }))).toMatchObject({
      code: "METHOD_NOT_ALLOWED",
    });
  });
});

describe("cloudevents", () => {
  it("allows the origin that asks", () => {
    const headers = { "webhook-request-origin": "events.example.com", "webhook-request-rate": "120" };
    expect(ask("cloudevents", SECRET, { method: "OPTIONS", headers })).toMatchObject({
      answer: {
        status: 200,
        headers: {
          allow: "POST, OPTIONS",
          "webhook-allowed-origin": "events.example.com",
          "webhook-allowed-rate": "*",
        },
      },
    });
  });

  it("grants nothing without an origin", () => {
    expect(ask("cloudevents", SECRET, { method: "OPTIONS" })).toMatchObject({
      answer: { headers: { allow: "POST, OPTIONS" } },
    });
  });

  it.each<[string, Sent]>([
    ["verified", { headers: { authorization: "Bearer s3cret" } }],
    ["verified", { headers: { authorization: "bearer s3cret" } }],
    ["verified", { query: "access_token=s3cret" }],
    ["refused", { headers: { authorization: "Bearer other" }, query: "access_token=s3cret" }],
    ["refused", { headers: { authorization: "Basic s3cret" } }],
    ["refused", { query: "access_token=other" }],
    ["refused", {}],
  ])("is %s with %j", (status, sent) => {
    expect(ask("cloudevents", SECRET, sent).status).toBe(status);
  });
});

describe("gitlab", () => {
  it.each([
    ["verified", { "x-gitlab-token": "s3cret" }],
    ["refused", { "x-gitlab-token": "s3cre" }],
    ["refused", { "x-gitlab-token": "s3cret2" }],
    ["refused", {}],
  ])("is %s with %j", (status, headers) => {
    expect(ask("gitlab", SECRET, { headers: headers }).status).toBe(status);
  });
});

describe("none", () => {
  it("accepts every request", () => {
    expect(ask("none", { secrets: [] }, { body: "x" }).status).toBe("verified");
  });
});

describe("stripe", () => {
  const code = (secret: string): string =>
    createHmac("sha256", secret)
      .update(`${NOW / 1000}.{}`)
      .digest("hex");

  it("accepts one valid v1 of several, and no other version", () => {
    const header = (value: string) => ({ body: "{}", headers: { "stripe-signature": value } });
    const t = `t=${NOW / 1000}`;
    expect(ask("stripe", SECRET, header(`${t},v1=${code("old")},v1=${code("s3cret")}`)).status).toBe(
      "verified",
    );
    expect(ask("stripe", SECRET, header(`${t},v0=${code("s3cret")}`))).toMatchObject({
      reason: "credential-missing",
    });
    expect(ask("stripe", SECRET, header(`v1=${code("s3cret")}`)).status).toBe("refused");
    expect(ask("stripe", SECRET, header(`${t},v1=${code("s3cret")},rest`)).status).toBe("refused");
  });
});

describe("twilio", () => {
  const signed = (url: string, text = ""): Record<string, string> => ({
    "content-type": "application/x-www-form-urlencoded",
    "x-twilio-signature": createHmac("sha1", "s3cret")
      .update(url + text)
      .digest("base64"),
  });
  const status = (publicUrl: string, sent: Sent): string =>
    ask("twilio", { ...SECRET, publicUrl }, sent).status;

  it("accepts a signature with and without the port", () => {
    expect(status(PUBLIC_URL, { headers: signed("https://gw.example.com:443/webhooks/calls") })).toBe(
      "verified",
    );
    expect(status("https://gw.example.com:8443/t", { headers: signed("https://gw.example.com/t") })).toBe(
      "verified",
    );
    expect(status("http://gw.example.com/t", { headers: signed("http://gw.example.com:80/t") })).toBe(
      "verified",
    );
    expect(status(PUBLIC_URL, { headers: signed("https://gw.example.com:444/webhooks/calls") })).toBe(
      "refused",
    );
  });

  it("counts a repeated pair once, and sorts the values of one name", () => {
    const headers = signed(PUBLIC_URL, "aXaY");
    expect(status(PUBLIC_URL, { headers, body: "a=Y&a=X&a=X" })).toBe("verified");
  });

  it("refuses a body that the signature does not cover", () => {
    const headers = { ...signed(PUBLIC_URL), "content-type": "application/json" };
    expect(status(PUBLIC_URL, { headers, body: "{}" })).toBe("refused");
  });

  it("refuses a form with other names and values but the same signed text", () => {
    const headers = signed(PUBLIC_URL, "Digits1234");
    expect(status(PUBLIC_URL, { headers, body: "Digits=1234" })).toBe("verified");
    for (const body of ["Digits1234", "Digits=1234&", "Digits==1234", "%zz=1"]) {
      expect(status(PUBLIC_URL, { headers, body })).toBe("refused");
    }
  });
});

describe("linear", () => {
  it("checks the time in the body and the time in the header", () => {
    const body = `{"webhookTimestamp":${NOW}}`;
    const headers = { "linear-signature": createHmac("sha256", "s3cret").update(body).digest("hex") };
    const verifiedAt = (at: string) =>
      ask("linear", SECRET, { body, headers: { ...headers, "linear-timestamp": at } });
    expect(verifiedAt(String(NOW + 60_000)).status).toBe("verified");
    expect(verifiedAt(String(NOW + 60_001)).status).toBe("refused");
    expect(verifiedAt("soon").status).toBe("refused");
  });
});

describe("hmac", () => {
  it("reads seconds and milliseconds", () => {
    const settings = { ...SECRET, header: "X-Sum", timestampHeader: "X-At" };
    const sum = createHmac("sha256", "s3cret").update("{}").digest("hex");
    for (const at of [String(NOW), String(NOW / 1000)]) {
      expect(ask("hmac", settings, { body: "{}", headers: { "x-sum": sum, "x-at": at } }).status).toBe(
        "verified",
      );
    }
    expect(
      ask("hmac", settings, { body: "{}", headers: { "x-sum": sum, "x-at": String(NOW - 300_001) } }).status,
    ).toBe("refused");
  });
});

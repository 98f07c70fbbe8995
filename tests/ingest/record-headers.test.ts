import { contentTypeHeaders, recordHeadersOf } from "../../src/ingest/record-headers.ts";

const kept = (...rawHeaders: string[]): [string, string][] =>
  recordHeadersOf(rawHeaders).map(({ name, value }) => [name, value?.toString("latin1") ?? ""]);

describe("recordHeadersOf", () => {
  it("refuses headers that only the gateway writes", () => {
    expect(
      kept("X-Webhook-Id", "1", "x-webhook-source", "github", "X-Stationgate-Once", "1", "x-event-id", "e"),
    ).toEqual([["x-event-id", "e"]]);
  });

  it("keeps trace context and x-* headers in order, with names in lower case", () => {
    expect(
      kept("Host", "h", "X-Source", "b", "Traceparent", "00-1", "TRACESTATE", "v=1", "X-Source", "a"),
    ).toEqual([
      ["x-source", "b"],
      ["traceparent", "00-1"],
      ["tracestate", "v=1"],
      ["x-source", "a"],
    ]);
  });

  it("writes ce-* as ce_*, percent-decoded", () => {
    expect(kept("Ce-Id", "1", "ce-subject", "a%20b", "ce-broken", "100%")).toEqual([
      ["ce_id", "1"],
      ["ce_subject", "a b"],
      ["ce_broken", "100%"],
    ]);
    expect(recordHeadersOf(["ce-type", "caf%C3%A9"])[0]?.value).toEqual(Buffer.from("café"));
  });

  it.each([
    "Authorization",
    "Cookie",
    "X-Api-Key",
    "X-Gitlab-Token",
    "X-Amz-Security-Token",
    "Ce-Token",
    "Host",
    "Content-Length",
    "Content-Type",
    "Connection",
    "Transfer-Encoding",
    "TE",
    "X-Forwarded-For",
    "x-forwarded-proto",
    "Traceparents",
    "Xylophone",
    "Certificate",
  ])("leaves out %s", (name) => {
    expect(kept(name, "v")).toEqual([]);
  });

  it("leaves out the headers that Connection names", () => {
    expect(kept("X-Hop", "1", "Connection", "keep-alive, X-Hop", "X-End", "2")).toEqual([["x-end", "2"]]);
  });

  it("takes linear time in the number of headers", () => {
    const many = Array.from({ length: 1990 }, () => ["x-a", "1"]).flat();
    const before = process.cpuUsage();
    expect(recordHeadersOf([...many, "Connection", "close, x-a"])).toEqual([]);
    for (let n = 0; n < 20; n++) recordHeadersOf([...many, "Connection", "x-b, ".repeat(2000)]);
    expect(process.cpuUsage(before).user / 20).toBeLessThan(60_000);
  });

  it("keeps the bytes of a value", () => {
    expect(recordHeadersOf(["x-a", "\xff\x80"])[0]?.value).toEqual(Buffer.from([0xff, 0x80]));
  });
});

describe("contentTypeHeaders", () => {
  it("returns the content type as it was sent", () => {
    expect(contentTypeHeaders("Text/Plain; charset=x")).toEqual([
      { name: "content-type", value: Buffer.from("Text/Plain; charset=x") },
    ]);
  });

  it("caches a bounded number of content types", () => {
    for (let i = 0; i < 1000; i++) contentTypeHeaders(`text/x-${i}`);
    expect(contentTypeHeaders("text/x-999")).not.toBe(contentTypeHeaders("text/x-999"));
    expect(contentTypeHeaders("text/x-1")).toBe(contentTypeHeaders("text/x-1"));
  });
});

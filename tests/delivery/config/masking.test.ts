import { MASK, maskConfig, unmaskConfig, type RawConfig } from "../../../src/delivery/config/masking.ts";

const STORED = {
  "callback.request.url": "https://user:pass@example.com/a?api_key=k1&page=2",
  "callback.request.headers": "Authorization:Bearer t|X-Plain:p|X-Api-Key:k2",
  secret: "whsec_AAEC",
  "sasl.jaas.config": "x",
  topics: "orders",
};

describe("maskConfig", () => {
  it("hides credentials and nothing else", () => {
    expect(maskConfig(STORED)).toStrictEqual({
      "callback.request.url": `https://${MASK}@example.com/a?api_key=${MASK}&page=2`,
      "callback.request.headers": `Authorization:${MASK}|X-Plain:p|X-Api-Key:${MASK}`,
      secret: MASK,
      "sasl.jaas.config": MASK,
      topics: "orders",
    });
  });

  it("keeps the JSON form of headers", () => {
    const headers = '{"Cookie":"c","Accept":"*/*"}';

    expect(maskConfig({ "callback.request.headers": headers })).toStrictEqual({
      "callback.request.headers": `{"Cookie":"${MASK}","Accept":"*/*"}`,
    });
  });
});

describe("unmaskConfig", () => {
  it("is the inverse of masking", () => {
    expect(unmaskConfig(maskConfig(STORED), STORED)).toStrictEqual(STORED);
  });

  it.each<[string, RawConfig, RawConfig]>([
    [
      "a changed path",
      { "callback.request.url": `https://${MASK}@example.com/b?page=3&api_key=${MASK}` },
      { "callback.request.url": "https://user:pass@example.com/b?page=3&api_key=k1" },
    ],
    [
      "a new header beside a masked one",
      { "callback.request.headers": `authorization:${MASK}|New:n` },
      { "callback.request.headers": "authorization:Bearer t|New:n" },
    ],
    ["a new secret", { secret: "whsec_BBBB" }, { secret: "whsec_BBBB" }],
    ["a mask that stands for nothing", { password: MASK }, { password: MASK }],
  ])("keeps %s", (_, given, expected) => {
    expect(unmaskConfig(given, STORED)).toStrictEqual(expected);
  });
});

import { MASK, maskConfig, unmaskConfig, type RawConfig } from "../../../src/delivery/connectors/masking.ts";

const STORED = {
  "callback.request.url": "https://user:pass@example.com/a?api_key=k1&page=2",
  "callback.request.headers": "Authorization:Bearer t|X-Plain:p|X-Api-Key:k2",
  secret: "whsec_AAEC",
  "sasl.jaas.config": "x",
  "proxy.url": "http://u:p@proxy.example/",
  topics: "orders",
};

describe("maskConfig", () => {
  it("masks credentials only", () => {
    expect(maskConfig(STORED)).toStrictEqual({
      "callback.request.url": `https://${MASK}@example.com/a?api_key=${MASK}&page=2`,
      "callback.request.headers": `Authorization:${MASK}|X-Plain:p|X-Api-Key:${MASK}`,
      secret: MASK,
      "sasl.jaas.config": MASK,
      "proxy.url": `http://${MASK}@proxy.example/`,
      topics: "orders",
    });
  });

  it("masks the credentials of unknown keys", () => {
    const shown = maskConfig({
      "ssl.keystore.key": "k1",
      "basic.auth.user.info": "k1",
      "registry.api.key": "k1",
      "proxy.url": "http://u:k1@proxy.example/?sig=k1",
      "errors.tolerance": "all",
    });
    expect(JSON.stringify(shown)).not.toContain("k1");
    expect(shown).toMatchObject({
      "proxy.url": `http://${MASK}@proxy.example/?sig=${MASK}`,
      "errors.tolerance": "all",
    });
  });

  it("masks the credentials of Aiven's sink, and no other value", () => {
    const config = {
      "http.authorization.type": "static",
      "http.headers.authorization": "Bearer t",
      "http.headers.additional": "X-A:1, X-Api-Key:k1",
      "http.ssl.truststore.password": "p",
      "batch.max.size": "5",
    };

    expect(maskConfig(config)).toStrictEqual({
      ...config,
      "http.headers.authorization": MASK,
      "http.headers.additional": `X-A:1,X-Api-Key:${MASK}`,
      "http.ssl.truststore.password": MASK,
    });
    expect(unmaskConfig({ ...maskConfig(config), "batch.max.size": "6" }, config)).toStrictEqual({
      ...config,
      "http.headers.additional": "X-A:1,X-Api-Key:k1",
      "batch.max.size": "6",
    });
  });

  it("masks the credentials of a token request, and restores them", () => {
    const config = {
      "oauth2.access.token.url": "https://id.example/token",
      "oauth2.client.id": "me",
      "oauth2.client.secret": "s3cr3t",
      "oauth2.extra.params": "resource=a%20b&client_assertion_token=abc",
      "http.proxy.password": "p",
    };
    const masked = {
      ...config,
      "oauth2.client.secret": MASK,
      "oauth2.extra.params": `resource=a%20b&client_assertion_token=${MASK}`,
      "http.proxy.password": MASK,
    };

    expect(maskConfig(config)).toStrictEqual(masked);
    expect(unmaskConfig(masked, config)).toStrictEqual(config);
  });

  it("shows references to configuration providers, but nothing that is written beside them", () => {
    const config = {
      secret: "${env:SECRET}",
      "http.headers.authorization": "Bearer ${file:/run/secrets/crm.properties:token}",
      "http.headers.additional": "X-A:${env:A},X-Api-Key:${directory:/run/secrets:key},Cookie:a=${env:B}",
      "oauth2.client.secret": "prefix-${env:C}",
      "oauth2.extra.params": "a_token=${env:D}&b_token=x",
      "http.url": "https://${env:USER}:${env:PASSWORD}@example.com/${env:PATH}",
    };

    expect(maskConfig(config)).toStrictEqual({
      ...config,
      "http.headers.additional": `X-A:\${env:A},X-Api-Key:\${directory:/run/secrets:key},Cookie:${MASK}`,
      "oauth2.client.secret": MASK,
      "oauth2.extra.params": `a_token=\${env:D}&b_token=${MASK}`,
      "http.url": `https://${MASK}@example.com/\${env:PATH}`,
    });
    expect(unmaskConfig(maskConfig(config), config)).toStrictEqual(config);
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
    ["a mask without a stored value", { password: MASK }, { password: MASK }],
  ])("keeps %s", (_, given, expected) => {
    expect(unmaskConfig(given, STORED)).toStrictEqual(expected);
  });
});

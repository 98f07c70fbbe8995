import { parse } from "yaml";
import { printSettings } from "../../src/config/print.ts";
import { faultsOf, load, settingsOf } from "./support.ts";

describe("the section registry", () => {
  it("takes one URL or a list of URLs", () => {
    expect(settingsOf({ yaml: "registry: { url: http://r:8081/apis/ccompat/v7/ }" }).registry.urls).toEqual([
      "http://r:8081/apis/ccompat/v7/",
    ]);
    expect(settingsOf({ yaml: 'registry: { urls: ["https://r1", "https://r2"] }' }).registry.urls).toEqual([
      "https://r1",
      "https://r2",
    ]);
    const env = { STATIONGATE_REGISTRY_URLS: '["http://r1","http://r2"]' };
    expect(settingsOf({ env }).registry.urls).toEqual(["http://r1", "http://r2"]);
  });

  it("takes credentials from files and from the environment", () => {
    const basic = "registry: { url: http://r, auth: { type: basic, username: u, passwordFile: p.txt } }";
    expect(settingsOf({ yaml: basic, files: { "p.txt": "hush\n" } }).registry.auth).toEqual({
      type: "basic",
      username: "u",
      password: "hush",
    });
    const env = {
      STATIONGATE_REGISTRY_URL: "http://r",
      STATIONGATE_REGISTRY_AUTH_TYPE: "bearer",
      STATIONGATE_REGISTRY_AUTH_TOKEN: "hush",
    };
    expect(settingsOf({ env }).registry.auth).toEqual({ type: "bearer", token: "hush" });
  });

  it("masks credentials when the settings are printed", () => {
    const registries = [
      "{ url: http://r, auth: { type: basic, username: u, password: hush } }",
      "{ url: http://r, auth: { type: bearer, token: hush } }",
      '{ urls: ["http://u:hush@r1/a", "http://u:hush%40hush@r2"] }',
    ];
    const printed = registries.map((registry) =>
      printSettings(settingsOf({ yaml: `registry: ${registry}` })),
    );
    expect(printed.join("")).not.toContain("hush");
    expect(parse(printed[2] ?? "")).toMatchObject({
      registry: { urls: ["http://***@r1/a", "http://***@r2"] },
    });
  });

  it.each([
    ["http://u:hush@hush@r/", "an @ in the password"],
    ["http://u:hush/hush@r/", "a / in the password"],
    ["http://u:hush@r/?a=b", "a query"],
  ])("refuses %s without showing the password (%s)", (url) => {
    const [fault, ...more] = faultsOf({ yaml: `registry: { url: "${url}" }` });
    expect(more).toEqual([]);
    expect(fault).toContain("registry.url: got ");
    expect(fault).not.toContain("hush");
  });

  it.each([
    [
      "{ url: r1 }",
      'url: got "r1", allowed: an http or https URL without query, such as https://registry.example:8081',
    ],
    ["{ url: http://r1, urls: [] }", "urls: url and urls are both set: set only one of them"],
    ["{ auth: { type: bearer, token: t } }", "url: got nothing, allowed: a URL if registry.auth is set"],
    ["{ autoRegister: true }", "url: got nothing, allowed: a URL if registry.autoRegister is set"],
    [
      "{ url: http://u:p@r, auth: { type: bearer, token: t } }",
      "auth: got a credential in addition to the user info in a URL, allowed: one of them",
    ],
    ["{ url: http://r, auth: { type: kerberos } }", 'auth.type: got "kerberos", allowed: basic or bearer'],
    [
      "{ url: http://r, auth: { type: basic, username: u } }",
      "auth.password: got nothing, allowed: a non-empty string",
    ],
    [
      "{ url: http://r, strategy: { key: topic } }",
      'strategy.key: got "topic", allowed: one of topic-name, record-name, topic-record-name',
    ],
  ])("refuses %s", (registry, fault) => {
    expect(faultsOf({ yaml: `registry: ${registry}` })).toEqual([`registry.${fault}`]);
  });

  it("needs cert and key together", () => {
    const given = { yaml: "registry: { url: https://r, cert: c.pem }", files: { "c.pem": "" } };
    expect(faultsOf(given)).toEqual([
      "registry.key: cert and key are needed together: set both or none of them",
    ]);
  });

  it("has a relative path of ca from the settings file", () => {
    const { dir, result } = load({
      yaml: "registry: { url: https://r, ca: ca.pem }",
      files: { "ca.pem": "" },
    });
    expect(result).toMatchObject({ settings: { registry: { ca: `${dir}/ca.pem` } } });
  });
});

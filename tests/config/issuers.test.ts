import { faultsOf, loaded, settingsOf } from "./support.ts";

const ENTRY = "name: corp, issuer: 'https://id.example', audience: a";
const SECRETS = "accessToken: { secret: a }, refreshToken: { secret: b }";
const yamlOf = (more: string, rest = ""): string =>
  `auth: { issuers: [{ ${ENTRY}${more === "" ? "" : `, ${more}`} }]${rest} }`;
const entryOf = (more = "") => settingsOf({ yaml: yamlOf(more) }).auth.issuers[0];

describe("an entry of auth.issuers", () => {
  it("has these defaults", () => {
    expect(entryOf()).toEqual({
      name: "corp",
      issuer: "https://id.example",
      audience: ["a"],
      algorithms: ["RS256", "ES256"],
      types: ["at+jwt", "JWT"],
      subject: "sub",
      mapping: [],
      stations: [],
      consume: [],
      origins: [],
      limits: { burst: 1000 },
      clockSkew: 30_000,
      refresh: 600_000,
      maxStale: 86_400_000,
      fetchTimeout: 5000,
      maxTokenSize: 12_288,
    });
  });

  it.each([
    ["stationsClaim: may", ["*"], []],
    ["consumeClaim: see", [], ["*"]],
    ["mapping: [{ claim: groups, value: x }]", ["*"], ["*"]],
    ["mapping: [{ claim: groups, value: x }], stations: [orders], consume: []", ["orders"], []],
  ])("with %s allows at most these stations", (more, stations, consume) => {
    expect(entryOf(more)).toMatchObject({ stations, consume });
  });

  it("may have several audiences, all algorithms and an issuer on this machine", () => {
    const all = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA";
    expect(entryOf(`algorithms: [${all}]`)?.algorithms).toHaveLength(10);
    const yaml = "auth: { issuers: [{ name: c, issuer: 'http://[::1]:8080/a/', audience: [a, b] }] }";
    expect(settingsOf({ yaml }).auth.issuers[0]).toMatchObject({ audience: ["a", "b"] });
  });

  it.each([
    ["name: Corp", /^auth\.issuers\[0\]\.name: got "Corp", allowed: 1 to 32 lower-case letters/],
    ["name: -a", /^auth\.issuers\[0\]\.name: /],
    [
      "issuer: 'http://id.example'",
      /^auth\.issuers\[0\]\.issuer: got "http:\/\/id\.example", allowed: an https URL, or an http URL of a loopback host/,
    ],
    ["issuer: 'https://u:p@id.example'", /^auth\.issuers\[0\]\.issuer: got "https:\/\/\*\*\*@id\.example"/],
    ["issuer: 'https://id.example?a'", /^auth\.issuers\[0\]\.issuer: /],
    ["issuer: 'ftp://localhost'", /^auth\.issuers\[0\]\.issuer: /],
    ["issuer: 'http://127.0.0.1.evil.example'", /^auth\.issuers\[0\]\.issuer: /],
    ["audience: []", /^auth\.issuers\[0\]\.audience: got a list, allowed: a non-empty string, or a list/],
    ["audience: ''", /^auth\.issuers\[0\]\.audience: /],
    ["algorithms: [HS256]", /^auth\.issuers\[0\]\.algorithms\[0\]: got "HS256", allowed: one of RS256/],
    ["algorithms: [RS256, none]", /^auth\.issuers\[0\]\.algorithms\[1\]: got "none"/],
    ["algorithms: []", /^auth\.issuers\[0\]\.algorithms: got a list, allowed: a list of at least one/],
    ["types: []", /^auth\.issuers\[0\]\.types: /],
    ["jwksUri: ' https://id.example/keys'", /^auth\.issuers\[0\]\.jwksUri: /],
    ["jwksUri: 'http://id.example/keys'", /^auth\.issuers\[0\]\.jwksUri: /],
    ["ca: missing.pem", /^auth\.issuers\[0\]\.ca: got ".*missing\.pem", which is not a readable file/],
    [
      "subject: '/a~2b'",
      /^auth\.issuers\[0\]\.subject: got "\/a~2b", allowed: the name of a claim, or a JSON pointer/,
    ],
    [
      "stations: [Orders]",
      /^auth\.issuers\[0\]\.stations\[0\]: got "Orders", allowed: a station name in lower case/,
    ],
    ["mapping: [{ claim: groups }]", /^auth\.issuers\[0\]\.mapping\[0\]\.value: got nothing/],
    ["clockSkew: 6m", /^auth\.issuers\[0\]\.clockSkew: got "6m", allowed: a duration from 0ms to 5m/],
    ["refresh: 999ms", /^auth\.issuers\[0\]\.refresh: got "999ms", allowed: a duration from 1s/],
    ["maxStale: 0s", /^auth\.issuers\[0\]\.maxStale: /],
    ["fetchTimeout: 99ms", /^auth\.issuers\[0\]\.fetchTimeout: /],
    ["audiences: [a]", /^auth\.issuers\[0\]\.audiences: is unknown, did you mean audience\?/],
  ])("with %s is refused", (more, fault) => {
    const [key = ""] = more.split(":");
    const without = ENTRY.split(", ").filter((part) => !part.startsWith(`${key}:`));
    const yaml = `auth: { issuers: [{ ${[...without, more].join(", ")} }] }`;
    expect(faultsOf({ yaml })).toEqual([expect.stringMatching(fault)]);
  });

  it("has its own name and its own issuer", () => {
    const yaml = `auth: { issuers: [{ ${ENTRY} }, { ${ENTRY} }] }`;
    expect(faultsOf({ yaml })).toEqual([
      'auth.issuers[1].name: got "corp" again, allowed: each name once',
      'auth.issuers[1].issuer: got "https://id.example" again, allowed: each name once',
    ]);
  });

  it("is refused if the gateway itself is the issuer", () => {
    expect(faultsOf({ yaml: yamlOf("", ", issuer: 'https://id.example'") })).toEqual([
      'auth.issuers[0].issuer: got "https://id.example", allowed: an issuer other than auth.issuer',
    ]);
  });

  it("warns if a token may not fit into the headers", () => {
    const warnings = (more: string, size: string) =>
      loaded({ yaml: `${yamlOf(more)}\nserver: { maxHeaderSize: ${size} }\nadmin: { token: t }` }).warnings;
    expect(warnings("", "16kb")).toEqual([]);
    expect(warnings("maxTokenSize: 13kb", "16kb")).toEqual([
      "server.maxHeaderSize is 16384 bytes: a token of auth.issuers[corp].maxTokenSize (13312 bytes) may not fit; set it to 17408 bytes or more",
    ]);
  });
});

describe("the names of clients", () => {
  const WHY = "limits, consumer groups and log lines go by the name";

  it("differ between accounts, API keys and certificates", () => {
    const yaml = `auth: { ${SECRETS}, accounts: [{ username: a, password: p }], apiKeys: [{ id: a, key: k }, { id: b, key: k }, { id: b, key: l }], certificates: [{ name: b, cn: x }] }`;
    expect(faultsOf({ yaml })).toEqual([
      `auth.apiKeys[0].id: got "a", allowed: a name that no account has (${WHY})`,
      `auth.certificates[0].name: got "b", allowed: a name that no API key has (${WHY})`,
    ]);
  });

  it("do not begin with the name of an issuer's entry and a colon", () => {
    const yaml = yamlOf(
      "",
      `, ${SECRETS}, accounts: [{ username: 'corp:ann', password: p }, { username: corp, password: p }, { username: 'corps:x', password: p }]`,
    );
    expect(faultsOf({ yaml })).toEqual([
      `auth.accounts[0].username: got "corp:ann", allowed: a name that does not begin with corp: (${WHY}, and auth.issuers has the entry corp)`,
    ]);
  });
});

/** The settings of operators and of the audit. */
import { type Identity, withIdentity, withSessionSecret } from "../../src/config/identity.ts";
import { printSettings } from "../../src/config/print.ts";
import { faultsOf, loaded, settingsOf } from "./support.ts";

const adminOf = (admin: string) => settingsOf({ yaml: `admin: ${admin}` }).admin;
const OIDC = "publicUrl: https://g.example, oidc: { issuer: https://id.example, clientId: sg";

describe("the operators' tokens", () => {
  it("come from the file, from files and from the environment", () => {
    const yaml =
      "admin: { tokens: [{ name: ci, tokenFile: t, role: operator, expires: 2027-01-01T00:00:00Z }, { name: look, token: l, role: viewer }] }";
    expect(settingsOf({ yaml, files: { t: "hush\n" } }).admin.tokens).toEqual([
      { name: "ci", token: "hush", role: "operator", expires: Date.UTC(2027, 0, 1) },
      { name: "look", token: "l", role: "viewer" },
    ]);
    const env = { STATIONGATE_ADMIN_TOKENS: '[{"name":"ci","token":"t","role":"admin"}]' };
    expect(settingsOf({ env }).admin.tokens).toEqual([{ name: "ci", token: "t", role: "admin" }]);
  });

  it("are masked when the settings are printed", () => {
    const yaml = `admin: { sessionSecret: hush, tokens: [{ name: ci, token: hush, role: admin }], ${OIDC}, clientSecret: hush } }`;
    const printed = printSettings(settingsOf({ yaml }));
    expect(printed).not.toContain("hush");
    expect(printed).toContain("name: ci");
  });

  it.each([
    [
      "tokens: [{ name: ci, token: a, role: admin }, { name: ci, token: b, role: admin }]",
      'admin.tokens[1].name: got "ci" again, allowed: each name once',
    ],
    [
      "token: t, tokens: [{ name: admin, token: a, role: viewer }]",
      'admin.tokens[0].name: got "admin", allowed: another name (admin.token has this name)',
    ],
    [
      "tokens: [{ name: 'a:b', token: a, role: viewer }]",
      'admin.tokens[0].name: got "a:b", allowed: a name of at most 64 characters without spaces and :',
    ],
    [
      "tokens: [{ name: ci, token: a, role: root }]",
      'admin.tokens[0].role: got "root", allowed: one of viewer, operator, admin',
    ],
    [
      "tokens: [{ name: ci, role: viewer }]",
      "admin.tokens[0].token: got nothing, allowed: a non-empty string",
    ],
    [
      "publicUrl: https://g.example/path",
      'admin.publicUrl: got "https://g.example/path", allowed: an http or https URL without a path, such as https://gateway.example',
    ],
  ])("are checked: %s", (admin, fault) => {
    expect(faultsOf({ yaml: `admin: { ${admin} }` })).toEqual([fault]);
  });

  it("may have the name of the generated token, which is then not generated", () => {
    const identity: Identity = {
      ...{ username: "root", connectionToken: "c", accessTokenSecret: "a", refreshTokenSecret: "r" },
      adminToken: "generated",
    };
    const named = { STATIONGATE_ADMIN_TOKENS: '[{"name":"admin","token":"t","role":"viewer"}]' };
    expect(withIdentity(settingsOf({ env: named }), identity).admin.token).toBeUndefined();
    expect(withIdentity(settingsOf({}), identity).admin.token).toBe("generated");
  });

  it("need no warning if one of them is set", () => {
    const warnings = (admin: string) =>
      loaded({ yaml: `admin: { ${admin} }` }).warnings.filter((text) => text.startsWith("admin."));
    expect(warnings("tokens: [{ name: ci, token: a, role: viewer }]")).toEqual([]);
    expect(warnings("port: 4445")).toEqual(["admin.token is not set: the operators' routes refuse everyone"]);
    expect(warnings(`${OIDC} }`)).toEqual([
      "admin.oidc.roles is empty: nobody gets a role by the identity provider",
    ]);
    expect(warnings("token: t, sessionSecret: short-ä")).toEqual([
      "admin.sessionSecret has fewer than 32 bytes: use 32 random bytes or more, so that nobody can guess it from a session",
    ]);
    expect(warnings(`token: t, sessionSecret: ${"s".repeat(32)}`)).toEqual([]);
  });
});

describe("the identity provider of operators", () => {
  it("has the documented defaults", () => {
    expect(adminOf(`{ ${OIDC} } }`).oidc).toEqual({
      issuer: "https://id.example",
      clientId: "sg",
      scopes: ["openid", "profile", "email"],
      clockSkew: 30_000,
      endSession: false,
      nameClaim: "preferred_username",
      rolesClaim: "groups",
      roles: { viewer: [], operator: [], admin: [] },
    });
  });

  it.each([
    [
      "oidc: { issuer: https://id.example, clientId: sg }",
      "admin.publicUrl: got nothing, allowed: an http or https URL if admin.oidc is set, such as https://gateway.example",
    ],
    [
      `${OIDC}, audience: sg }`,
      'admin.oidc.audience: got "sg", allowed: another text than admin.oidc.clientId (ID tokens of the client would be accepted)',
    ],
    [
      "publicUrl: https://g.example, oidc: { issuer: http://id.example, clientId: sg }",
      'admin.oidc.issuer: got "http://id.example", allowed: an https URL, or an http URL of a loopback host, without user, query and fragment, such as https://id.example',
    ],
    [
      'publicUrl: https://g.example, oidc: { issuer: " https://id.example", clientId: sg }',
      expect.stringContaining('admin.oidc.issuer: got " https://id.example"'),
    ],
    [`${OIDC}, rolesClaim: "/a~2" }`, expect.stringContaining('admin.oidc.rolesClaim: got "/a~2"')],
    [`${OIDC}, nameClaim: "/a~2" }`, expect.stringContaining('admin.oidc.nameClaim: got "/a~2"')],
    [
      `${OIDC}, scopes: [profile] }`,
      "admin.oidc.scopes: does not contain openid, allowed: a list of scopes that contains openid",
    ],
    [
      "publicUrl: https://g.example, oidc: { label: Example ID }",
      "admin.oidc.issuer: got nothing, allowed: the URL of the identity provider",
      "admin.oidc.clientId: got nothing, allowed: the client id of the gateway at the identity provider",
    ],
    [`${OIDC}, clockSkew: 6m }`, 'admin.oidc.clockSkew: got "6m", allowed: a duration from 0ms to 5m'],
    [`${OIDC}, ca: nowhere.pem }`, expect.stringContaining("which is not a readable file")],
  ])("is checked: %s", (admin, ...faults) => {
    expect(faultsOf({ yaml: `admin: { ${admin} }` })).toEqual(faults);
  });

  it("has a client id that is no audience of the tokens of clients of the same provider", () => {
    const withIssuer = (url: string) => {
      const issuer = `{ name: id, issuer: "${url}", audience: [gateway, sg], stations: [a] }`;
      return faultsOf({ yaml: `admin: { ${OIDC} } }\nauth: { issuers: [${issuer}] }` });
    };
    expect(withIssuer("https://id.example")).toEqual([
      'auth.issuers[0].audience: got "sg", allowed: texts other than admin.oidc.clientId (ID tokens of that client would be accepted)',
    ]);
    expect(withIssuer("https://other.example")).toEqual([]);
  });

  it("may have no tolerance for times", () => {
    expect(adminOf(`{ ${OIDC}, clockSkew: 0s } }`).oidc?.clockSkew).toBe(0);
  });

  it("may be on a loopback host without TLS", () => {
    for (const issuer of ["http://127.0.0.1:9000", "http://localhost/realm/", "http://[::1]:1"])
      expect(
        adminOf(`{ publicUrl: "http://g:1", oidc: { issuer: "${issuer}", clientId: sg } }`).oidc?.issuer,
      ).toBe(issuer);
  });
});

describe("the secret of sessions", () => {
  it("is the main process's own only if the settings have no other", () => {
    const secretOf = (yaml: string) => withSessionSecret(settingsOf({ yaml }), "own").admin.sessionSecret;
    expect(secretOf("server: {}")).toBe("own");
    expect(secretOf("admin: { sessionSecret: given }")).toBe("given");
    expect(secretOf("auth: { accessToken: { secret: a }, refreshToken: { secret: b } }")).toBeUndefined();
  });
});

describe("the station of the audit", () => {
  it("must exist or be created by itself", () => {
    expect(settingsOf({ yaml: "audit: { station: ops }\nstations: [{ name: ops }]" }).audit).toEqual({
      station: "ops",
      clientSignIns: false,
    });
    expect(settingsOf({ yaml: "audit: { station: ops }\nautoCreateStations: true" }).audit.station).toBe(
      "ops",
    );
    expect(faultsOf({ yaml: "audit: { station: ops }" })).toEqual([
      'audit.station: got "ops", which is not declared, allowed: the name of a declared station, or autoCreateStations: true',
    ]);
    expect(faultsOf({ yaml: "audit: { station: Ops }" })).toEqual([
      'audit.station: got "Ops", allowed: a station name in lower case',
    ]);
  });
});

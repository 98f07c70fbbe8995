import { X509Certificate } from "node:crypto";
import { type CertificateNames, namesOf } from "../../src/auth/certificate-names.ts";
import {
  type CertificateOptions,
  type ClientCertificate,
  createCertificateVerifier,
  renewCertificate,
} from "../../src/auth/certificates.ts";
import { mayUseStation, requireOrigin } from "../../src/auth/permissions.ts";
import { codeOf, failureOf } from "./support.ts";
import { type Authority, createAuthority } from "../support/authority.ts";

const NONE: CertificateNames = { cn: undefined, uri: [], dns: [], email: [] };

const certificate = (names: Partial<CertificateNames>, notAfter = Infinity): ClientCertificate => ({
  names: { ...NONE, ...names },
  notAfter,
  isTrusted: () => true,
});

const entry = (options: Partial<CertificateOptions>): CertificateOptions => ({
  name: "billing",
  stations: ["orders"],
  ...options,
});

const isMapped = (names: Partial<CertificateNames>, ...entries: Partial<CertificateOptions>[]): boolean => {
  try {
    createCertificateVerifier(entries.map(entry))(certificate(names));
    return true;
  } catch {
    return false;
  }
};

describe("names of an entry", () => {
  it.each([
    [{ cn: "billing" }, { cn: "billing" }, true],
    [{ cn: "Billing" }, { cn: "billing" }, false],
    [{ cn: "billing2" }, { cn: "billing" }, false],
    [{ cn: "" }, { cn: "billing" }, false],
    [{ dns: ["a.example", "billing.example"] }, { dns: "billing.example" }, true],
    [{ cn: "billing.example" }, { dns: "billing.example" }, false],
    [{ uri: ["billing.example"] }, { dns: "billing.example" }, false],
    [{ email: ["ann@shop.example"] }, { email: "*@shop.example" }, true],
    [{ email: ["ann@evil@shop.example"] }, { email: "*@shop.example" }, false],
    [{ email: ["a.b@shop.example"] }, { email: "*@shop.example" }, false],
    [{ dns: ["a.shop.example"] }, { dns: "*.shop.example" }, true],
    [{ dns: ["a.b.shop.example"] }, { dns: "*.shop.example" }, false],
    [{ uri: ["spiffe://prod/ns/shop/sa/billing"] }, { uri: "spiffe://prod/ns/*/sa/billing" }, true],
    [{ uri: ["spiffe://prod/ns/a/b/sa/billing"] }, { uri: "spiffe://prod/ns/*/sa/billing" }, false],
    [{ uri: ["spiffe://prod/ns/shop/sa/billing-2"] }, { uri: "spiffe://prod/ns/*/sa/billing" }, false],
    [{ uri: ["spiffe://prod/ns/shop/sa/billing-2"] }, { uri: "spiffe://prod/ns/shop/sa/bill*-*" }, true],
  ])("%j against %j: %j", (names, options, expected) => {
    expect(isMapped(names, options)).toBe(expected);
  });

  it("matches a pattern with many * in a short time", () => {
    const cn = `${"a".repeat(60_000)}b`;
    expect(isMapped({ cn }, { cn: `${"*a".repeat(500)}c` })).toBe(false);
  });
});

describe("principal", () => {
  const verify = createCertificateVerifier(
    [
      entry({
        cn: "b*",
        name: "first",
        consume: ["clicks"],
        groups: ["g"],
        limits: { requestsPerSecond: 5 },
      }),
      entry({ cn: "billing", name: "second" }),
    ],
    () => 1000,
  );

  it("has the rights of the first entry that matches", () => {
    const principal = verify(certificate({ cn: "billing" }, 2000));
    expect(principal).toMatchObject({
      kind: "certificate",
      name: "first",
      readable: [["clicks"]],
      limits: { requestsPerSecond: 5 },
      expires: 2000,
    });
    expect(mayUseStation(principal, "produce", "Orders")).toBe(true);
    expect(mayUseStation(principal, "consume", "clicks")).toBe(true);
    expect(mayUseStation(principal, "consume", "orders")).toBe(false);
    expect([principal.readsGroup?.("g"), principal.readsGroup?.("h")]).toEqual([true, false]);
  });

  it("is the same object for all requests of a connection", () => {
    const shown = certificate({ cn: "billing" });
    expect(verify(shown)).toBe(verify(shown));
  });

  it("refuses a certificate that no entry matches", async () => {
    expect(await failureOf(() => verify(certificate({ cn: "other" })))).toMatchObject({
      code: "UNAUTHORIZED",
      cause: "certificate not mapped",
    });
  });

  it("refuses a certificate that has expired on an open connection", async () => {
    let now = 0;
    const timed = createCertificateVerifier([entry({ cn: "billing" })], () => now);
    const shown = certificate({ cn: "billing" }, 1000);
    expect(timed(shown).name).toBe("billing");
    now = 1000;
    expect(await failureOf(() => timed(shown))).toMatchObject({ cause: "expired certificate" });
  });

  it("refuses a certificate on an open connection after its CA was removed", async () => {
    let isTrusted = true;
    const shown = { ...certificate({ cn: "billing" }), isTrusted: () => isTrusted };
    const open = createCertificateVerifier([entry({ cn: "billing" })]);
    const principal = open(shown);
    isTrusted = false;
    expect(await failureOf(() => open(shown))).toMatchObject({ cause: "certificate of a removed CA" });
    expect(renewCertificate(open, principal)).toBeUndefined();
  });

  it("is renewed by the entry of other settings", () => {
    const principal = verify(certificate({ cn: "billing" }, 2000));
    const now = (): number => 1000;
    const other = createCertificateVerifier([entry({ cn: "billing", stations: ["*"] })], now);
    expect(renewCertificate(other, principal)).toMatchObject({ name: "billing" });
    expect(renewCertificate(createCertificateVerifier([], now), principal)).toBeUndefined();
  });
});

describe("origins", () => {
  const principalWith = (origins: readonly string[]) =>
    createCertificateVerifier([entry({ cn: "billing", origins })])(certificate({ cn: "billing" }));

  it.each([
    [[], undefined],
    [["https://shop.example"], undefined],
    [["https://shop.example"], "https://shop.example"],
  ])("%j allow the Origin %j", (origins, origin) => {
    expect(() => {
      requireOrigin(principalWith(origins), origin);
    }).not.toThrow();
  });

  it.each([
    [[], "https://shop.example"],
    [["https://shop.example"], "https://evil.example"],
    [["https://shop.example"], "null"],
    [["https://shop.example"], ""],
  ])("%j refuse the Origin %j", async (origins, origin) => {
    const check = (): void => {
      requireOrigin(principalWith(origins), origin);
    };
    expect(await codeOf(check)).toBe("ORIGIN_FORBIDDEN");
  });
});

describe("names in a certificate", () => {
  let authority: Authority;

  beforeAll(async () => {
    authority = await createAuthority();
  });

  afterAll(() => authority[Symbol.asyncDispose]());

  const derOf = async (subject: string, names: readonly string[] = []): Promise<Buffer> =>
    new X509Certificate((await authority.issue({ subject, names })).cert).raw;

  it("reads the names of each kind", async () => {
    const names = [
      "DNS:a.example",
      "DNS:b.example",
      "URI:spiffe://a/b",
      "email:ann@a.example",
      "IP:10.0.0.1",
    ];
    expect(namesOf(await derOf("/O=Shop/CN=Büro", names))).toEqual({
      cn: "Büro",
      dns: ["a.example", "b.example"],
      uri: ["spiffe://a/b"],
      email: ["ann@a.example"],
    });
  });

  it("reads a certificate without names", async () => {
    expect(namesOf(await derOf("/O=Shop"))).toEqual(NONE);
  });

  it.each([
    "URI:spiffe://a/b, DNS:admin.example",
    'URI:spiffe://a/"b", URI:"admin',
    "URI:x/DNS:admin.example, URI:admin",
  ])("takes %j as one name", async (name) => {
    const value = name.slice("URI:".length);
    const found = namesOf(await derOf("/CN=a", [name.replaceAll('"', String.raw`\"`)]));
    expect(found).toEqual({ cn: "a", uri: [value], dns: [], email: [] });
  });

  it("has no common name if the subject has two", async () => {
    expect(namesOf(await derOf("/CN=admin/CN=guest")).cn).toBeUndefined();
    expect(namesOf(await derOf("/CN=admin+CN=guest")).cn).toBeUndefined();
  });

  it("takes the / in a common name as a character", async () => {
    expect(namesOf(await derOf(String.raw`/CN=guest\/CN=admin`)).cn).toBe("guest/CN=admin");
  });

  it("leaves out names with control characters", async () => {
    const der = await derOf("/CN=admin.evil", ["DNS:admin.evil", "DNS:other.example"]);
    const withNul = Buffer.from(der.toString("latin1").replaceAll("admin.evil", "admin\0evil"), "latin1");
    expect(namesOf(withNul)).toEqual({ ...NONE, dns: ["other.example"] });
  });

  it("has no names if the bytes are cut or wrong", async () => {
    const der = await derOf("/CN=admin", ["DNS:admin.example"]);
    for (let length = 0; length < der.length; length++)
      expect(namesOf(der.subarray(0, length))).toEqual(NONE);
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      expect(() => namesOf(changed)).not.toThrow();
    }
  });
});

import { createOperatorCertificates } from "../../src/auth/operator-certificates.ts";
import type { Operator } from "../../src/auth/operators/operator.ts";
import { codeOf } from "./support.ts";

const staff = createOperatorCertificates(
  [
    { name: "ann", email: "ann@shop.example", role: "admin" },
    { name: "staff", email: "*@shop.example", role: "viewer" },
  ],
  () => 1000,
);

const certificate = (email: string, notAfter = 2000) => ({
  names: { cn: undefined, uri: [], dns: [], email: [email] },
  notAfter,
  isTrusted: () => true,
});

it("finds the name and the role of the first entry that matches", () => {
  expect(staff.admit(certificate("ann@shop.example"))).toMatchObject({ name: "ann", role: "admin" });
  expect(staff.admit(certificate("bob@shop.example"))).toMatchObject({ name: "staff", role: "viewer" });
});

it("refuses a certificate that no entry matches, and one that has expired", async () => {
  expect(await codeOf(() => staff.admit(certificate("eve@evil.example")))).toBe("UNAUTHORIZED");
  expect(await codeOf(() => staff.admit(certificate("ann@shop.example", 1000)))).toBe("UNAUTHORIZED");
});

it("is a credential of an operator, which other settings renew or end", () => {
  const certificate = {
    names: { cn: "ops", uri: [], dns: [], email: [] },
    notAfter: 4_000_000_000_000,
    isTrusted: () => true,
  };
  const source = (role: "viewer" | "admin", cn: string) =>
    createOperatorCertificates([{ name: "pod", cn, role }]);
  const operator = source("viewer", "ops").admit(certificate) as Operator;
  expect(operator).toEqual({ name: "pod", role: "viewer", via: "certificate", expires: 4_000_000_000_000 });
  expect(source("admin", "ops").renew(operator)).toMatchObject({ role: "admin" });
  expect(source("viewer", "other").renew(operator)).toBeUndefined();
});

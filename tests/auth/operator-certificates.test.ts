import { createOperatorCertificates } from "../../src/auth/operator-certificates.ts";
import { codeOf } from "./support.ts";

const find = createOperatorCertificates(
  [
    { name: "ann", email: "ann@shop.example", role: "admin" },
    { name: "staff", email: "*@shop.example", role: "viewer" },
  ],
  () => 1000,
);

const certificate = (email: string, notAfter = 2000) => ({
  names: { cn: undefined, uri: [], dns: [], email: [email] },
  notAfter,
});

it("finds the name and the role of the first entry that matches", () => {
  expect(find(certificate("ann@shop.example"))).toMatchObject({ name: "ann", role: "admin" });
  expect(find(certificate("bob@shop.example"))).toMatchObject({ name: "staff", role: "viewer" });
});

it("refuses a certificate that no entry matches, and one that has expired", async () => {
  expect(await codeOf(() => find(certificate("eve@evil.example")))).toBe("UNAUTHORIZED");
  expect(await codeOf(() => find(certificate("ann@shop.example", 1000)))).toBe("UNAUTHORIZED");
});

import type { LookupAddress } from "node:dns";
import { createTargets, type Targets } from "../../../src/delivery/engine/targets.ts";

const REFUSED = [
  "127.0.0.1",
  "127.1.2.3",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "100.100.100.200",
  "168.63.129.16",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:10.0.0.1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "ff02::1",
];

const PUBLIC = [
  "1.1.1.1",
  "172.15.0.1",
  "172.32.0.1",
  "100.128.0.1",
  "2606:4700:4700::1111",
  "::ffff:1.1.1.1",
];

const lookup = (targets: Targets, host: string): Promise<string | readonly LookupAddress[]> =>
  new Promise((resolve, reject) => {
    targets.lookup(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });

describe("addresses", () => {
  it.each(REFUSED)("%s is refused", (address) => {
    expect(createTargets([]).allows("example.com", address)).toBe(false);
  });

  it.each(PUBLIC)("%s is public", (address) => {
    expect(createTargets([]).allows("example.com", address)).toBe(true);
  });

  it.each([
    [["127.0.0.0/8"], "x", "127.0.0.1", true],
    [["127.0.0.0/8"], "x", "::ffff:127.0.0.1", true],
    [["127.0.0.0/8"], "x", "10.0.0.1", false],
    [["10.1.2.3"], "x", "10.1.2.3", true],
    [["10.1.2.3"], "x", "10.1.2.4", false],
    [["::1/128"], "x", "::1", true],
    [["crm.internal"], "CRM.internal.", "10.0.0.1", true],
    [["crm.internal"], "evil-crm.internal", "10.0.0.1", false],
    [["*.internal"], "crm.internal", "10.0.0.1", true],
    [["*.internal"], "internal", "10.0.0.1", false],
  ])("with %j, %s at %s: %s", (allowed, host, address, expected) => {
    expect(createTargets(allowed).allows(host, address)).toBe(expected);
  });
});

describe("lookup", () => {
  it("fails if a name resolves to no allowed address", async () => {
    await expect(lookup(createTargets([]), "localhost")).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  });

  it("returns only the allowed addresses", async () => {
    const addresses = await lookup(createTargets(["127.0.0.0/8"]), "localhost");

    expect(addresses).toContainEqual({ address: "127.0.0.1", family: 4 });
    expect(addresses).not.toContainEqual({ address: "::1", family: 6 });
  });
});

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readKeyStore } from "../../../src/lib/key-store/key-store.ts";
import type { StorePasswords } from "../../../src/lib/key-store/raw-store.ts";
import { type StoreName, stores } from "./stores.ts";

const bytesOf = (name: StoreName): Buffer =>
  stores[name].startsWith("-----") ? Buffer.from(stores[name]) : Buffer.from(stores[name], "base64");

const read = (name: StoreName, passwords: StorePasswords = { store: "changeit" }) =>
  readKeyStore(bytesOf(name), passwords);

describe("a trust store", () => {
  it.each(["trust.jks", "trust.p12", "trust-old.p12", "ca.pem", "openssl.p12"] as const)(
    "of the form %s has the certificate of the CA",
    (name) => {
      expect(read(name).certificates).toStrictEqual([stores["ca.pem"]]);
    },
  );

  it("can be read without a password if it isn't encrypted", () => {
    expect(read("open.p12", { store: undefined }).certificates).toHaveLength(1);
    expect(read("trust.jks", { store: undefined }).certificates).toHaveLength(1);
    expect(read("ca.pem", { store: undefined }).certificates).toHaveLength(1);
  });

  it.each(["trust.jks", "trust.p12", "trust-old.p12"] as const)(
    "of the form %s is refused with another password",
    (name) => {
      expect(() => read(name, { store: "changeme" })).toThrow(
        "the password is wrong, or the file is damaged",
      );
    },
  );

  it.each(["trust.jks", "trust.p12", "trust-old.p12"] as const)(
    "of the form %s is refused if it is cut",
    (name) => {
      const bytes = bytesOf(name);

      for (let length = 8; length < bytes.length; length += 7)
        expect(() => readKeyStore(bytes.subarray(0, length), { store: "changeit" })).toThrow(/the file/);
    },
  );

  it("is refused if it is another file", () => {
    expect(() => readKeyStore(Buffer.from("hello"), { store: "x" })).toThrow(
      "the file is no JKS, PKCS12 or PEM file",
    );
    expect(() => readKeyStore(Buffer.from(stores["ca.key"]), { store: "x" })).toThrow(
      "the file contains no PEM certificate",
    );
  });
});

describe("a private key", () => {
  const isPair = (key: string, chain: string): boolean =>
    new X509Certificate(chain).checkPrivateKey(createPrivateKey(key));

  it.each([
    ["key.jks", { store: "changeit", key: "keypass" }],
    ["key.p12", { store: "changeit" }],
    ["key-old.p12", { store: "changeit" }],
    ["openssl.p12", { store: "changeit" }],
  ] as const)("is read from %s with its certificate", (name, passwords) => {
    const { key } = read(name, passwords);

    expect(isPair(key?.key ?? "", key?.chain ?? "")).toBe(true);
  });

  it("is read from PEM, also if it is encrypted", () => {
    for (const name of ["ca.key", "ca-encrypted.key"] as const) {
      const { key } = readKeyStore(Buffer.from(stores[name] + stores["ca.pem"]), { store: "changeit" });

      expect(isPair(key?.key ?? "", key?.chain ?? "")).toBe(true);
    }
  });

  it("is refused with another password", () => {
    expect(() => read("key.jks", { store: "changeit" })).toThrow("the password of the private key is wrong");
    expect(() =>
      readKeyStore(Buffer.from(stores["ca-encrypted.key"] + stores["ca.pem"]), { store: "x" }),
    ).toThrow("the private key can't be read with this password");
  });

  it("is not needed in a trust store", () => {
    expect(read("trust.p12").key).toBeUndefined();
    expect(read("key.jks", { store: undefined }).key).toBeUndefined();
  });
});

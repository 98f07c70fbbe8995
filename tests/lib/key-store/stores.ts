/**
 * Files that keytool (Java 17; `-old` with -Dkeystore.pkcs12.legacy, as Java 8 and 11 write them) and openssl 3 made of one CA and of one
 * client. PEM as text, the others as base64. Their password is changeit, that of the key in key.jks is keypass.
 */
import { readFileSync } from "node:fs";

export type StoreName =
  | "trust.jks"
  | "trust.p12"
  | "trust-old.p12"
  | "key.jks"
  | "key.p12"
  | "key-old.p12"
  | "openssl.p12"
  | "open.p12"
  | "ca.pem"
  | "ca.key"
  | "ca-encrypted.key";

export const stores = JSON.parse(readFileSync(new URL("stores.json", import.meta.url), "utf8")) as Readonly<
  Record<StoreName, string>
>;

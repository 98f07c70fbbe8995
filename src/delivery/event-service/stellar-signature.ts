/** The `Signature` header of callbacks to clients, as the Stellar SEPs and the Anchor Platform write it. */
import { createPrivateKey, sign, type KeyObject } from "node:crypto";

/** RFC 8410: a PKCS #8 key of ed25519 is this, and then the 32 bytes of the seed. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** `seed`: the 32 bytes that an `S…` strkey holds. */
export const signingKey = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });

export interface Signable {
  /** Seconds since the epoch. */
  readonly t: number;
  /** As the URL names it, with the port where the URL has one. */
  readonly host: string;
  readonly body: Buffer;
}

/** `t=<seconds>, s=<base64>`: ed25519 over `<t>.<host>.<body>`. */
export const stellarSignature = (key: KeyObject, { t, host, body }: Signable): string => {
  const signature = sign(null, Buffer.concat([Buffer.from(`${t}.${host}.`), body]), key);
  return `t=${t}, s=${signature.toString("base64")}`;
};

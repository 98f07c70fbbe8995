import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { decodeStrkey } from "../../../src/lib/strkey.ts";

interface Vectors {
  readonly stellarSignature: {
    readonly seed: string;
    readonly account: string;
    readonly t: number;
    readonly body: string;
    readonly cases: readonly { readonly url: string; readonly host: string; readonly s: string }[];
  };
  readonly jwt: {
    readonly secret: string;
    readonly iat: number;
    readonly exp: number;
    readonly token: string;
  };
}

export const VECTORS = JSON.parse(
  readFileSync(new URL("callback-vectors.json", import.meta.url), "utf8"),
) as Vectors;

export const SEED = decodeStrkey("seed", VECTORS.stellarSignature.seed) ?? Buffer.alloc(32);

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Verifies as a receiver does, with the account `G…` and the host of its own URL. */
export const isSigned = (header: unknown, host: string, body: string): boolean => {
  const [, t = "", s = ""] = /^t=(\d+), s=([A-Za-z0-9+/=]+)$/.exec(String(header)) ?? [];
  const key = createPublicKey({
    key: Buffer.concat([
      SPKI_PREFIX,
      decodeStrkey("account", VECTORS.stellarSignature.account) ?? SPKI_PREFIX,
    ]),
    format: "der",
    type: "spki",
  });
  return verify(null, Buffer.from(`${t}.${host}.${body}`), key, Buffer.from(s, "base64"));
};

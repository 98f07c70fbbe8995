/** The public keys in an issuer's key set (RFC 7517), and the choice of the key for a token. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { cut } from "../../lib/text.ts";
import { fits, type IssuerKey } from "./algorithms.ts";
import { isOnCurve } from "./edwards.ts";
import { isJsonObject, type JsonObject } from "./jws.ts";

/** `unknown`: a newer key set may have the key. `unfit`: the set has the token's `kid`, but no key for its algorithm. */
export type Choice = IssuerKey | "unknown" | "unfit";

export interface KeySet {
  readonly keys: readonly IssuerKey[];
  /** Public keys as JSON: `parseKeySet` makes the same set of them in another process. */
  readonly jwks: readonly JsonObject[];
  /** One text for each key of the document that can't verify tokens: its `kid` and the reason. */
  readonly leftOut: readonly string[];
  /** All keys as text. It is equal if the keys are equal. */
  readonly id: string;
  choose(kid: string | undefined, algorithm: string): Choice;
}

/** The gateway does not read further keys. */
const MAX_KEYS = 64;
const MIN_RSA_BITS = 2048;

/** undefined: the document is no key set. */
export const parseKeySet = (document: unknown): KeySet | undefined => {
  if (!isJsonObject(document)) return undefined;
  const { keys: listed } = document;
  if (!Array.isArray(listed)) return undefined;
  const read = listed.slice(0, MAX_KEYS).map(readKey);
  const usable = read.flatMap((one) => ("key" in one ? [one] : []));
  const ids = usable.map(({ id }) => id);
  return {
    keys: usable,
    jwks: ids.map((id) => JSON.parse(id) as JsonObject),
    leftOut: read.flatMap((one) => ("reason" in one ? [`${one.kid ?? "(no kid)"}: ${one.reason}`] : [])),
    id: JSON.stringify(ids.toSorted()),
    choose: choiceOf(usable),
  };
};

export const NO_KEYS: KeySet = { keys: [], jwks: [], leftOut: [], id: "[]", choose: () => "unknown" };

const choiceOf = (keys: readonly IssuerKey[]): KeySet["choose"] => {
  return (kid, algorithm) => {
    const candidates = kid === undefined ? keys : keys.filter((key) => key.kid === kid);
    if (candidates.length === 0) return "unknown";
    const [found, ...further] = candidates.filter((key) => fits(key, algorithm));
    // Two keys that fit are as good as none: a choice between them would be a guess.
    if (found !== undefined && further.length === 0) return found;
    return kid === undefined ? "unknown" : "unfit";
  };
};

interface LeftOut {
  readonly kid: string | undefined;
  readonly reason: string;
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const readKey = (entry: unknown): IssuerKey | LeftOut => {
  if (!isJsonObject(entry)) return { kid: undefined, reason: "is not an object" };
  const kid = textOf(entry["kid"]);
  const left = (reason: string): LeftOut => ({ kid: kid === undefined ? undefined : cut(kid, 64), reason });
  const use = textOf(entry["use"]);
  if (use === "enc") return left("is for encryption");
  const given = materialOf(entry);
  if (given === undefined) return left("its kty or its curve is not supported");
  const key = imported(given);
  if (key === undefined) return left("is not valid");
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS) return left(`has only ${bits} bits`);
  const { kty, crv } = given as { kty: string; crv?: string };
  const facts = { kid, kty, crv, alg: textOf(entry["alg"]), use };
  return { ...facts, key, id: JSON.stringify({ ...facts, ...given }) };
};

const CURVES: Readonly<Record<string, readonly string[]>> = {
  EC: ["P-256", "P-384", "P-521"],
  OKP: ["Ed25519", "Ed448"],
};

/** The members of a public key; private members are left out. undefined: the gateway does not support such keys. */
const materialOf = ({ kty, n, e, crv, x, y }: JsonObject): JsonObject | undefined => {
  if (kty === "RSA") return { kty, n, e };
  if (typeof kty !== "string" || CURVES[kty]?.includes(String(crv)) !== true) return undefined;
  return kty === "EC" ? { kty, crv, x, y } : { kty, crv, x };
};

/** undefined: a member is missing or wrong, or the point is not on the curve. */
const imported = (given: JsonObject): KeyObject | undefined => {
  const { kty, crv, x } = given;
  if (kty === "OKP" && !isOnCurve(String(crv), Buffer.from(String(x), "base64url"))) return undefined;
  try {
    return createPublicKey({ key: { ...given }, format: "jwk" });
  } catch {
    return undefined;
  }
};

/** The checks of a token of another issuer (RFC 8725, RFC 9068), in a fixed order. */
import { unauthorized, type UnauthorizedReason } from "../principal.ts";
import { type IssuerKey, isSignedBy } from "./algorithms.ts";
import { claimReader } from "./claims.ts";
import { type IssuerKeys, keysUnavailable } from "./issuer-keys.ts";
import { type JsonObject, type Jws, parseJws } from "./jws.ts";

export interface TokenCheckOptions {
  /** The `iss` of the tokens, compared as text. */
  readonly issuer: string;
  /** The token's `aud` must contain one of them. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  /** Values of the header's `typ`. An absent `typ` counts as JWT. */
  readonly types: readonly string[];
  /** Tolerance for times, in milliseconds. */
  readonly clockSkew: number;
  /** Characters. */
  readonly maxTokenSize: number;
  /** The claim that names the principal, as `claimReader` takes it. */
  readonly subject: string;
  /** For the answer of a sign-in: ID tokens pass. They are refused as a credential otherwise. */
  readonly acceptsIdTokens?: boolean;
  readonly keys: IssuerKeys;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A token whose checks have passed. */
export interface CheckedToken {
  /** Its `alg`, `typ` and `kid`. */
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** The claim that `subject` names: 1 to 256 characters without control and format characters. */
  readonly subject: string;
  /** `IssuerKey.id` of the key that signed it. */
  readonly keyId: string;
  /** `IssuerKeys.version` of the check. */
  readonly version: number;
  /** The token is valid from `notBefore` until just before `expires`, with the tolerance; milliseconds since the epoch. */
  readonly notBefore: number;
  readonly expires: number;
}

export interface TokenCheck {
  /**
   * Returns a promise only if the token waits for a fetch of the keys. Fails with UNAUTHORIZED, whose cause is the reason, and
   * with KEYS_UNAVAILABLE.
   */
  readonly check: (token: string) => CheckedToken | Promise<CheckedToken>;
  /** As `check`, for a token that is parsed. */
  readonly checkParsed: (token: Jws) => CheckedToken | Promise<CheckedToken>;
  /**
   * Checks a token again that was accepted before, perhaps under other settings, without its signature and its times. undefined: it
   * is not accepted any more, for example because its key has left the set. Until keys have arrived, every key counts as present.
   */
  readonly renewed: (token: CheckedToken) => CheckedToken | undefined;
}

export const createTokenCheck = (options: TokenCheckOptions): TokenCheck => {
  const { issuer, maxTokenSize, clockSkew, keys, now } = options;
  const faultOfHeader = headerCheck(options);
  const identityOf = identityCheck(options);

  /** Without keys every token of the issuer gets the same answer: no key can tell a real token from a made-up one. */
  const refuse = (reason: UnauthorizedReason): never => {
    throw keys.areAvailable ? unauthorized(reason) : keysUnavailable();
  };

  const verified = (key: IssuerKey, token: Jws): CheckedToken => {
    const { header, payload: claims } = token;
    if (!isSignedBy(key, String(header["alg"]), token)) throw unauthorized("wrong signature");
    const times = timesOf(claims, clockSkew);
    if (now() >= times.expires) throw unauthorized("expired");
    if (now() < times.notBefore) throw unauthorized("not yet valid");
    const identity = identityOf(claims);
    if (typeof identity === "string") throw unauthorized(identity);
    const { alg, typ, kid } = header;
    return { header: { alg, typ, kid }, claims, keyId: key.id, version: keys.version, ...times, ...identity };
  };

  const keyOf = (header: JsonObject) =>
    keys.choose(header["kid"] as string | undefined, String(header["alg"]));

  const decided = (token: Jws): CheckedToken => {
    const key = keyOf(token.header);
    if (!keys.areAvailable || (key === "unknown" && keys.hasFailed)) throw keysUnavailable();
    if (typeof key === "string") throw unauthorized("unknown key");
    return verified(key, token);
  };

  const checkParsed = (token: Jws): CheckedToken | Promise<CheckedToken> => {
    if (token.payload["iss"] !== issuer) throw unauthorized("unknown issuer");
    if (token.length > maxTokenSize) return refuse("malformed token");
    const fault = faultOfHeader(token.header);
    if (fault !== undefined) return refuse(fault);
    const isUnknown = (): boolean => keyOf(token.header) === "unknown";
    const fetching = isUnknown() ? keys.refetch(isUnknown) : undefined;
    return fetching === undefined ? decided(token) : fetching.then(() => decided(token));
  };

  return {
    check: (token) => {
      const parsed = token.length > maxTokenSize ? undefined : parseJws(token);
      if (parsed === undefined) throw unauthorized("malformed token");
      return checkParsed(parsed);
    },
    checkParsed,
    renewed: (token) => {
      const { header, claims, keyId } = token;
      if (claims["iss"] !== issuer || faultOfHeader(header) !== undefined) return undefined;
      const identity = identityOf(claims);
      if (typeof identity === "string") return undefined;
      const key = keyOf(header);
      const isPresent = typeof key === "string" ? keys.kept === undefined : key.id === keyId;
      return isPresent ? { ...token, ...identity } : undefined;
    },
  };
};

type HeaderOptions = Pick<TokenCheckOptions, "algorithms" | "types">;

const MAX_KID = 256;

/** A media type may have the prefix `application/` (RFC 7515, 4.1.9). */
const plainType = (type: string): string => type.toLowerCase().replace(/^application\//, "");

/** Members that name or contain a key (`jku`, `jwk`, `x5u`, `x5c`, `x5t`) are never read. */
const headerCheck = ({ algorithms, types }: HeaderOptions) => {
  const allowed = new Set(types.map(plainType));
  return (header: JsonObject): UnauthorizedReason | undefined => {
    const { alg, typ = "JWT", kid } = header;
    if (typeof alg !== "string" || !algorithms.includes(alg)) return "algorithm not allowed";
    if (typeof typ !== "string" || !allowed.has(plainType(typ))) return "wrong token type";
    if (Object.hasOwn(header, "crit")) return "malformed token";
    const isKid = kid === undefined || (typeof kid === "string" && kid.length <= MAX_KID);
    return isKid ? undefined : "malformed token";
  };
};

/** A token without a usable `exp` has expired. A token whose `nbf` or `iat` is no number never becomes valid. */
const timesOf = (
  { exp, nbf = 0, iat = 0 }: JsonObject,
  skew: number,
): Pick<CheckedToken, "notBefore" | "expires"> => {
  const begins = [nbf, iat].map((time) => (typeof time === "number" ? time : Infinity));
  return {
    expires: typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 + skew : -Infinity,
    notBefore: Math.max(...begins) * 1000 - skew,
  };
};

type IdentityOptions = Pick<TokenCheckOptions, "audiences" | "subject" | "acceptsIdTokens">;

/** A name that is safe in log lines and error texts. `Cs`: half of a character that needs two UTF-16 units. */
const SUBJECT = /^[^\p{Cc}\p{Cf}\p{Cs}]{1,256}$/u;

/** Claims of ID tokens and of logout tokens (OpenID Connect Core, 3.3.2.11; Back-Channel Logout, 2.4). */
const OTHER_USES = ["at_hash", "c_hash", "events"];
/** Values of the claim `typ` that Keycloak writes. */
const OTHER_TYPES: readonly unknown[] = ["ID", "Refresh", "Offline", "Logout"];

const isOfAnotherUse = (claims: JsonObject): boolean =>
  OTHER_USES.some((name) => Object.hasOwn(claims, name)) || OTHER_TYPES.includes(claims["typ"]);

/** The subject, or the reason why the token is not for this gateway. */
const identityCheck = ({ audiences, subject, acceptsIdTokens = false }: IdentityOptions) => {
  const readSubject = claimReader(subject);
  return (claims: JsonObject): Pick<CheckedToken, "subject"> | UnauthorizedReason => {
    const { aud } = claims;
    const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    if (!audiences.some((audience) => named.includes(audience))) return "wrong audience";
    const name = readSubject(claims);
    if (typeof name !== "string" || !SUBJECT.test(name)) return "no subject";
    if (!acceptsIdTokens && isOfAnotherUse(claims)) return "wrong token type";
    return { subject: name };
  };
};

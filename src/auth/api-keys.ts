/** API keys: credentials without a sign-in, for servers of partners and for web pages. */
import { timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { type FailureThrottle, networkOf } from "./throttle.ts";
import { compilePatterns, compileStationPatterns, originList } from "./permissions.ts";
import {
  type Limits,
  type Principal,
  type RenewPrincipal,
  unauthorized,
  verifiedPrincipal,
} from "./principal.ts";
import {
  createEvenWork,
  digestOf,
  type SecretVerifier,
  sha256,
  storedSecret,
  type StoredSecret,
} from "./secrets.ts";

/** A key as configured. Several entries with one id are all valid, so that a key can be rotated. */
export interface ApiKeyOptions {
  readonly id: string;
  /** Plain text or a scrypt hash. */
  readonly key: string;
  /** A browser key is public: it needs a list of origins. */
  readonly kind: "server" | "browser";
  /** Patterns of the stations that it may produce to. */
  readonly stations: readonly string[];
  /** Patterns of the stations that it may read. Not allowed for a browser key. */
  readonly consume?: readonly string[] | undefined;
  /** Patterns of the consumer groups that it may use. Absent: only groups under its own name. */
  readonly groups?: readonly string[] | undefined;
  /** Milliseconds since the epoch. Absent: the key does not expire. */
  readonly expires?: number | undefined;
  readonly origins?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

interface GivenKey {
  /** Absent if the client sends the key alone. */
  readonly id?: string | undefined;
  readonly key: string;
  /** Network address of the client. */
  readonly address: string;
}

/**
 * Returns the principal of a key. The result is a promise only if a hash must be derived (once for each key). Fails with
 * UNAUTHORIZED for an unknown or expired key. If keys are hashed, each wrong key costs a derivation. So it also fails with
 * LOGIN_THROTTLED after too many different wrong keys from one network, and with OVERLOADED if too many derivations wait.
 */
export type VerifyApiKey = (given: GivenKey) => Principal | Promise<Principal>;

interface ApiKeyVerifier {
  readonly verify: VerifyApiKey;
  /**
   * For principals of API keys, also of earlier verifiers. If the settings contain the same key in another form, such as its
   * hash, it is another credential.
   */
  readonly renew: RenewPrincipal;
}

interface ApiKeyDependencies {
  readonly keys: readonly ApiKeyOptions[];
  readonly verifier: Pick<SecretVerifier, "verify">;
  readonly throttle: FailureThrottle;
  readonly maxRemembered?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

interface ApiKey {
  readonly id: string;
  readonly secret: StoredSecret;
  readonly expires: number;
  readonly principal: Principal;
}

/** The key of each principal, for all verifiers of the process: after a reload, the new one renews the old one's principals. */
const sources = new WeakMap<Principal, Pick<ApiKey, "id" | "secret">>();

/** Throws SETTINGS_INVALID for a browser key without origins or with `consume`, and for an invalid key, pattern or origin. */
export const createApiKeyVerifier = (dependencies: ApiKeyDependencies): ApiKeyVerifier => {
  const { verifier, throttle, maxRemembered = 10_000, now = Date.now } = dependencies;
  const keys = dependencies.keys.map(configuredKey);
  const plain = keys.filter(({ secret }) => secret.scrypt === undefined);
  const hashed = keys.filter(({ secret }) => secret.scrypt !== undefined);
  const evenWork = createEvenWork(
    [...new Set(hashed.map(({ id }) => id))].map((id) =>
      hashed.filter((key) => key.id === id).map(({ secret }) => secret),
    ),
  );
  // Right and wrong keys by digest. A right key that comes again costs only a lookup, and a wrong key that comes again
  // costs no derivation.
  const right = new Map<string, ApiKey>();
  const wrong = new LRUCache<string, true>({ max: maxRemembered });

  const isLive = ({ expires }: ApiKey): boolean => now() < expires;
  const candidates = (of: readonly ApiKey[], id: string | undefined): readonly ApiKey[] =>
    of.filter((key) => (id === undefined || key.id === id) && isLive(key));

  const remembered = (known: string): ApiKey | undefined => {
    const key = right.get(known);
    return key !== undefined && isLive(key) ? key : undefined;
  };

  const findPlain = ({ id, key }: GivenKey): ApiKey | undefined => {
    // One digest for all candidates: with a hundred keys a wrong key takes 17 µs instead of 170.
    const digest = sha256(key);
    return candidates(plain, id).find(({ secret }) => timingSafeEqual(secret.digest, digest));
  };

  const findHashed = async (known: string, given: GivenKey): Promise<Principal> => {
    const { id, key, address } = given;
    const network = networkOf(address);
    throttle.check(network);
    const own = candidates(hashed, id);
    // Without an id, every key is compared. With an id, an unknown id takes as long as a known id.
    const secrets = own.map(({ secret }) => secret);
    for (const secret of id === undefined ? secrets : evenWork(secrets)) {
      if (!(await verifier.verify(secret, key, ["keys", network]))) continue;
      const found = own.find((candidate) => candidate.secret === secret);
      if (found === undefined) continue;
      right.set(known, found);
      return found.principal;
    }
    wrong.set(known, true);
    throttle.failed(network);
    throw unauthorized("wrong api key");
  };

  return {
    verify: (given) => {
      const known = nameOf(given);
      const found = remembered(known) ?? findPlain(given);
      if (found !== undefined) {
        right.set(known, found);
        return found.principal;
      }
      if (hashed.length === 0 || wrong.get(known) === true) throw unauthorized("wrong api key");
      return findHashed(known, given);
    },
    renew: (principal) => {
      const source = sources.get(principal);
      if (source === undefined) return undefined;
      const { id, secret } = source;
      return keys.find((key) => key.id === id && isLive(key) && key.secret.digest.equals(secret.digest))
        ?.principal;
    },
  };
};

/** A key with an id and the same key without an id are remembered separately. */
const nameOf = ({ id, key }: GivenKey): string =>
  id === undefined ? digestOf(key) : digestOf(JSON.stringify([id, key]));

const configuredKey = (options: ApiKeyOptions): ApiKey => {
  const { id, key, kind, consume = [], expires = Infinity, limits = {} } = options;
  const origins = originList(options.origins ?? []);
  if (kind === "browser" && origins.length === 0)
    throw new GatewayError("SETTINGS_INVALID", {
      message: `browser key ${id} has no origins; a browser key needs at least one`,
    });
  if (kind === "browser" && consume.length > 0)
    throw new GatewayError("SETTINGS_INVALID", {
      message: `browser key ${id} is public and can't read; remove consume, or set kind to server`,
    });
  const mayProduce = compileStationPatterns(options.stations);
  const principal = verifiedPrincipal({
    kind: "api-key",
    name: id,
    mayProduce,
    mayConsume: compileStationPatterns(consume),
    readable: [consume],
    readsGroup: options.groups && compilePatterns(options.groups),
    origins,
    limits,
    expires,
    isPublic: kind === "browser",
  });
  const secret = storedSecret(key);
  sources.set(principal, { id, secret });
  return { id, secret, expires, principal };
};

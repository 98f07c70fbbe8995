/** Client certificates as credentials: the entry of the settings that a verified certificate belongs to. */
import { GatewayError } from "../errors.ts";
import type { CertificateNames } from "./certificate-names.ts";
import { compilePatterns, compileStationPatterns, originList } from "./permissions.ts";
import { type Limits, type Principal, unauthorized, verifiedPrincipal } from "./principal.ts";

/** A client certificate that TLS has verified. One object for each connection, so that its entry is looked up once. */
export interface ClientCertificate {
  readonly names: CertificateNames;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** False: the listener has other CAs now, and they do not verify the certificate. */
  readonly isTrusted: () => boolean;
}

/** The names that an entry of the settings accepts: exactly one kind of name is set. */
export interface CertificatePattern {
  readonly name: string;
  readonly cn?: string | undefined;
  readonly uri?: string | undefined;
  readonly dns?: string | undefined;
  readonly email?: string | undefined;
}

/** An entry of `auth.certificates`. */
export interface CertificateOptions extends CertificatePattern {
  readonly stations: readonly string[];
  readonly consume?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  /** Web origins that may use the certificate. Requests without `Origin` may use it always. */
  readonly origins?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

/**
 * The first entry that matches the certificate. Throws UNAUTHORIZED if no entry matches, or if the certificate has expired or is
 * not trusted any more.
 */
type FindCertificate<Entry> = (certificate: ClientCertificate) => Entry;

/** Looks up each certificate once. `now` is in milliseconds since the epoch. */
export const createCertificateLookup = <Entry extends CertificatePattern>(
  entries: readonly Entry[],
  now: () => number = Date.now,
): FindCertificate<Entry> => {
  const compiled = entries.map((entry) => ({ entry, matches: matcherOf(entry) }));
  const known = new WeakMap<ClientCertificate, Entry | false>();
  return (certificate) => {
    let entry = known.get(certificate);
    if (entry === undefined) {
      entry = compiled.find(({ matches }) => matches(certificate.names))?.entry ?? false;
      known.set(certificate, entry);
    }
    if (now() >= certificate.notAfter) throw unauthorized("expired certificate");
    if (!certificate.isTrusted()) throw unauthorized("certificate of a removed CA");
    if (entry === false) throw unauthorized("certificate not mapped");
    return entry;
  };
};

/** The principal of a certificate. Throws as `FindCertificate` does. */
export type VerifyCertificate = (certificate: ClientCertificate) => Principal;

/** The certificates of principals, for `renew`. */
const certificates = new WeakMap<Principal, ClientCertificate>();

/** Throws SETTINGS_INVALID for an invalid pattern or origin. */
export const createCertificateVerifier = (
  entries: readonly CertificateOptions[],
  now: () => number = Date.now,
): VerifyCertificate => {
  const find = createCertificateLookup(
    entries.map((entry) => ({ ...entry, rights: rightsOf(entry) })),
    now,
  );
  const principals = new WeakMap<ClientCertificate, Principal>();
  return (certificate) => {
    const { name, rights } = find(certificate);
    let principal = principals.get(certificate);
    if (principal === undefined) {
      principal = verifiedPrincipal({ kind: "certificate", name, ...rights, expires: certificate.notAfter });
      principals.set(certificate, principal);
      certificates.set(principal, certificate);
    }
    return principal;
  };
};

/**
 * The principal of the same certificate under other settings. undefined: the settings have no entry for it any more, or the
 * principal has no certificate.
 */
export const renewCertificate = (verify: VerifyCertificate, principal: Principal): Principal | undefined =>
  verifiedAgain(verify, certificates.get(principal));

/** undefined: there is no certificate, or `verify` refuses it. */
export const verifiedAgain = <Caller>(
  verify: (certificate: ClientCertificate) => Caller,
  certificate: ClientCertificate | undefined,
): Caller | undefined => {
  if (certificate === undefined) return undefined;
  try {
    return verify(certificate);
  } catch (error) {
    if (error instanceof GatewayError && error.code === "UNAUTHORIZED") return undefined;
    throw error;
  }
};

const rightsOf = ({ stations, consume = [], groups, origins = [], limits = {} }: CertificateOptions) => ({
  mayProduce: compileStationPatterns(stations),
  mayConsume: compileStationPatterns(consume),
  readable: [consume],
  readsGroup: groups && compilePatterns(groups),
  origins: originList(origins),
  limits,
});

const KINDS = ["cn", "uri", "dns", "email"] as const;

const matcherOf = (entry: CertificatePattern): ((names: CertificateNames) => boolean) => {
  const matchers = KINDS.flatMap((kind) => {
    const pattern = entry[kind];
    return pattern === undefined ? [] : [{ kind, matches: compileName(pattern) }];
  });
  return (names) => matchers.some(({ kind, matches }) => [names[kind] ?? []].flat().some(matches));
};

const SEGMENTS = /([/.@])/;

/**
 * Matches a whole name. `*` stands for any part of a segment; `/`, `.` and `@` separate segments. The segments are compared one by
 * one, so the time doesn't grow with the number of `*`.
 */
const compileName = (pattern: string): ((name: string) => boolean) => {
  const segments = pattern.split(SEGMENTS).map((segment) => compilePatterns([segment]));
  return (name) => {
    const parts = name.split(SEGMENTS);
    return parts.length === segments.length && segments.every((matches, i) => matches(parts[i] ?? ""));
  };
};

/**
 * Sessions of operators in a browser. A session is a sealed text and is not stored, so every process with the same settings
 * accepts it. It becomes invalid with the credential that made it.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { unauthorized } from "../principal.ts";
import { type AdminToken, type AdminTokens, fingerprintOf } from "./admin-tokens.ts";
import { type Operator, type Role, ROLES, type Subject } from "./operator.ts";
import type { Sealer } from "./sealer.ts";

export interface OperatorSession {
  /** Value of the cookie, at most 590 characters. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** The settings of the identity provider that end its sessions when they change. */
export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly rolesClaim: string;
  readonly roles: Readonly<Record<Role, readonly string[]>>;
}

/** An operator whom the identity provider has identified. */
export interface IdentifiedOperator {
  /** Cut to 96 bytes, or to fewer bytes if `sub` is long. */
  readonly name: string;
  readonly role: Role;
  readonly sub: string;
}

export interface OperatorSessions {
  forToken(token: AdminToken): OperatorSession;
  /**
   * A long name is cut, so that the session fits into the cookie. Throws UNAUTHORIZED if it does not fit with a name of one
   * character, because of the length of `sub`.
   */
  forIdentified(operator: IdentifiedOperator): OperatorSession;
  /** undefined: the session is not valid, or has expired, or the credential that made it is gone. */
  open(value: string): Operator | undefined;
  /** The operator of an open session under these settings, without regard to the end of the session. */
  renew(operator: Operator): Operator | undefined;
}

interface SessionsOptions {
  readonly sealer: Sealer;
  readonly tokens: Pick<AdminTokens, "named">;
  /** undefined: there is no identity provider. */
  readonly provider: ProviderSettings | undefined;
  /** Milliseconds. */
  readonly ttl: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Fingerprint of what made the session, end of the session in seconds, role, name, and the subject at the provider. */
const sealedSchema = z.tuple([z.string(), z.number(), z.enum(ROLES), z.string(), z.string().nullable()]);

interface Session {
  readonly fingerprint: Buffer;
  readonly seconds: number;
  readonly role: Role;
  readonly name: string;
  /** undefined: a token made the session. */
  readonly sub: string | undefined;
}

/** With its name and its attributes, the cookie then has at most 700 bytes. */
const MAX_VALUE = 590;
/** Lengths of the name that are tried. A character has at most 4 bytes. */
const NAME_BYTES = [96, 64, 32, 16, 8, 4];

/** The values of the sessions behind the operators that `open` returned, so that another generation of settings can check them. */
const opened = new WeakMap<Operator, string>();

export const createOperatorSessions = (options: SessionsOptions): OperatorSessions => {
  const { sealer, tokens, provider, ttl, now } = options;
  const ofProvider = provider && fingerprintOf([JSON.stringify(factsOf(provider))]);

  /** undefined: the session does not fit into the cookie. */
  const issue = (session: Omit<Session, "seconds">, end: number): OperatorSession | undefined => {
    const seconds = Math.floor(Math.min(now() + ttl, end) / 1000);
    const { fingerprint, role, name, sub = null } = session;
    const value = sealer.seal([fingerprint.toString("base64url"), seconds, role, name, sub]);
    return value.length > MAX_VALUE ? undefined : { value, expires: seconds * 1000 };
  };

  const fitting = (session: OperatorSession | undefined): OperatorSession => {
    if (session === undefined) throw unauthorized("no subject");
    return session;
  };

  const operatorOf = (session: Session, value: string): Operator | undefined => {
    const { name, role, sub, seconds } = session;
    const token = sub === undefined ? tokens.named(name) : undefined;
    const current = sub === undefined ? token?.fingerprint : ofProvider;
    if (current === undefined || !isSame(current, session.fingerprint)) return undefined;
    if (token !== undefined && token.role !== role) return undefined;
    const subject: Subject | undefined =
      sub === undefined || !provider ? undefined : { iss: provider.issuer, sub };
    const via = sub === undefined ? "token" : "oidc";
    const operator: Operator = { name, role, via, expires: seconds * 1000, ...(subject && { subject }) };
    opened.set(operator, value);
    return operator;
  };

  return {
    forToken: ({ fingerprint, role, name, expires = Infinity }) =>
      fitting(issue({ fingerprint, role, name, sub: undefined }, expires)),
    forIdentified: ({ name, role, sub }) => {
      if (ofProvider === undefined) throw unauthorized("no credential");
      const withName = (bytes: number): OperatorSession | undefined =>
        issue({ fingerprint: ofProvider, role, name: cutToBytes(name, bytes), sub }, Infinity);
      for (const bytes of NAME_BYTES) {
        const session = withName(bytes);
        if (session !== undefined) return session;
      }
      throw unauthorized("no subject");
    },
    open: (value) => {
      const session = sessionIn(sealer.open(value));
      return session === undefined || now() >= session.seconds * 1000
        ? undefined
        : operatorOf(session, value);
    },
    renew: (operator) => {
      const value = opened.get(operator) ?? "";
      const session = sessionIn(sealer.open(value));
      return session && operatorOf(session, value);
    },
  };
};

const sessionIn = (sealed: unknown): Session | undefined => {
  const { success, data } = sealedSchema.safeParse(sealed);
  if (!success) return undefined;
  const [fingerprint, seconds, role, name, sub] = data;
  return { fingerprint: Buffer.from(fingerprint, "base64url"), seconds, role, name, sub: sub ?? undefined };
};

const factsOf = ({ issuer, clientId, rolesClaim, roles }: ProviderSettings) => [
  ...[issuer, clientId, rolesClaim],
  ...ROLES.map((role) => roles[role]),
];

const isSame = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/** The longest prefix of whole characters with at most `max` bytes in UTF-8. */
const cutToBytes = (text: string, max: number): string => {
  let cut = "";
  for (const character of text) {
    if (Buffer.byteLength(cut + character) > max) break;
    cut += character;
  }
  return cut;
};

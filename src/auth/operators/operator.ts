/** The operator: the verified caller of a request to the operators' listener, and the roles. */
import { GatewayError } from "../../errors.ts";

/** In ascending order: a role has all rights of the roles before it. */
export const ROLES = ["viewer", "operator", "admin"] as const;

export type Role = (typeof ROLES)[number];

/**
 * The credential: a bearer token or a session of one, Basic, a JWT of the identity provider, a session that the identity
 * provider made, or a client certificate.
 */
export type Via = "token" | "basic" | "bearer" | "oidc" | "certificate";

/** The subject of a token of the identity provider. */
export interface Subject {
  readonly iss: string;
  readonly sub: string;
}

export interface Operator {
  readonly name: string;
  readonly role: Role;
  readonly via: Via;
  /** End of the credential, in milliseconds since the epoch. Absent: it has no end. */
  readonly expires?: number | undefined;
  /** For `via` oidc and bearer: the owner of an account can change its name, but not its subject. */
  readonly subject?: Subject | undefined;
}

/** A caller whose identity is verified, with or without a role. */
export type Caller = Omit<Operator, "role" | "expires">;

const refusedCallers = new WeakMap<GatewayError, Caller>();

/** Returns `refusal`, with the caller that it concerns. For the audit: the answer and the log don't get the caller. */
export const refusalOf = (caller: Caller, refusal: GatewayError): GatewayError => {
  refusedCallers.set(refusal, caller);
  return refusal;
};

/** The caller of `refusalOf`; undefined: the identity of the caller is not known. */
export const refusedCaller = (refusal: GatewayError): Caller | undefined => refusedCallers.get(refusal);

const hasRole = ({ role }: Pick<Operator, "role">, least: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(least);

/** Throws ROLE_FORBIDDEN if the operator's role is lower than `least`. */
export const requireRole = (operator: Pick<Operator, "role">, least: Role): void => {
  if (hasRole(operator, least)) return;
  throw new GatewayError("ROLE_FORBIDDEN", { message: `This needs the role ${least}` });
};

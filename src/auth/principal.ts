/** The principal: the verified caller of a request. Only the verifiers of this folder create principals. */
import { GatewayError } from "../errors.ts";

/** Rate limits per process; an absent rate means no limit. A bucket holds rate × burst. */
export interface Limits {
  readonly requestsPerSecond?: number | undefined;
  readonly eventsPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /** Size of a burst, as milliseconds at the full rate: 2000 allows the units of two seconds at once. */
  readonly burst?: number | undefined;
}

declare const verified: unique symbol;

export interface Principal {
  readonly [verified]: true;
  readonly kind: "account" | "api-key" | "issuer" | "certificate" | "webhook" | "operator";
  /**
   * Username, key id, `<issuer entry>:<subject>`, name of a certificate's entry or webhook source, for limits, log lines and error
   * texts. Never a secret.
   */
  readonly name: string;
  /** `station` is in lower case. Call `mayUseStation` (`permissions.ts`) instead of these three methods. */
  mayProduce(station: string): boolean;
  mayConsume(station: string): boolean;
  /** For a token that may read by event streams only. Absent: as `mayConsume`, which allows streams too. */
  mayStream?(station: string): boolean;
  /**
   * Patterns of the stations that the principal may read: a station must match a pattern of each list. They say
   * the same as `mayConsume`, and can be sent to another process. Absent: the principal may read nothing.
   */
  readonly readable?: readonly (readonly string[])[];
  /** True if the principal's `groups` setting names this consumer group. Absent: the principal has no such setting. */
  readonly readsGroup?: ((group: string) => boolean) | undefined;
  /** Origins that may use the credential. Empty: all origins, and requests without an origin. */
  readonly origins: readonly string[];
  readonly limits: Limits;
  /**
   * Expiry of an API key or a certificate, in milliseconds since the epoch; streams and waiting calls end then. Absent: never. The expiry of a
   * token does not count: a call may outlive its token.
   */
  readonly expires?: number;
  /** True for a browser key, which every visitor of the page can read. */
  readonly isPublic?: boolean;
  /** True if the issuer left claims with rights out of the token, so that the principal may have too few rights. */
  readonly isIncomplete?: boolean;
}

/**
 * The principal of the same credential under the present settings, with its present rights. undefined: the settings no longer
 * have the credential. The expiry of a token does not count. A principal that was created from the present settings is returned unchanged.
 */
export type RenewPrincipal = (principal: Principal) => Principal | undefined;

/** The unique name of the principal in this gateway. Limits, the memory budget and readers are stored under this name. */
export const principalId = ({ kind, name }: Pick<Principal, "kind" | "name">): string => `${kind} ${name}`;

/** Only for the verifiers of this folder; dependency-cruiser checks it. */
export const verifiedPrincipal = (principal: Omit<Principal, typeof verified>): Principal =>
  principal as Principal;

/**
 * UNAUTHORIZED, always with the same text, so that the caller does not learn the reason. `reason` is the error's cause,
 * for the log and the metric of refusals. It is a fixed phrase without any input of the caller.
 */
export const unauthorized = (reason: UnauthorizedReason): GatewayError =>
  new GatewayError("UNAUTHORIZED", { cause: reason });

export type UnauthorizedReason =
  | IssuerReason
  | "no credential"
  | "malformed credential"
  | "invalid token"
  | "wrong login"
  | "unknown account"
  | "credential changed"
  | "wrong api key"
  | "expired api key"
  | "expired certificate"
  | "certificate not mapped"
  | "certificate of a removed CA"
  | "wrong admin token"
  | "no subject"
  | "invalid session"
  | "request of another site";

/** Why a token of `auth.issuers` is refused. */
type IssuerReason =
  | "malformed token"
  | "unknown issuer"
  | "algorithm not allowed"
  | "wrong token type"
  | "unknown key"
  | "wrong signature"
  | "expired"
  | "not yet valid"
  | "wrong audience"
  | "no subject";

/** An operator who tests a station. The operators' routes have checked the credential before. */
export const operatorPrincipal: Principal = verifiedPrincipal({
  kind: "operator",
  name: "operator",
  mayProduce: () => true,
  mayConsume: () => true,
  origins: [],
  limits: {},
});

/** A webhook source. Each delivery is verified, and may only go to the declared station. */
export const webhookPrincipal = (source: string, station: string, limits: Limits): Principal =>
  verifiedPrincipal({
    kind: "webhook",
    name: source,
    mayProduce: (name) => name === station,
    mayConsume: () => false,
    origins: [],
    limits,
  });

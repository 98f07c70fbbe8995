import { GatewayError } from "../errors.ts";

/** Who makes a request, as far as the rest of the program may know: made only by the verifiers of this folder. */

/** Rates a principal is held to; absent: none. A bucket holds rate × burst; the limits hold per process. */
export interface Limits {
  readonly requestsPerSecond?: number | undefined;
  readonly eventsPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /** Milliseconds of the rate that may be used at once. */
  readonly burst?: number | undefined;
}

declare const verified: unique symbol;

export interface Principal {
  readonly [verified]: true;
  readonly kind: "account" | "api-key" | "webhook" | "operator";
  /** Username, key id or source: what limits, log lines and error texts name. Never a secret. */
  readonly name: string;
  /** Is the (lower-cased) station one that this principal may produce to? */
  mayProduce(station: string): boolean;
  mayConsume(station: string): boolean;
  /** Is this one of the consumer groups that the principal may use, under exactly this name? Absent: it declares none. */
  readonly readsGroup?: ((group: string) => boolean) | undefined;
  /** Origins that may use it; empty: any, and no Origin is needed. */
  readonly origins: readonly string[];
  readonly limits: Limits;
  /** When its credential ends, in milliseconds since the epoch; absent: never. The expiry of a token is not one. */
  readonly expires?: number;
  /** Anybody can have its credential: it is a browser's key. Absent: nobody else can. */
  readonly isPublic?: boolean;
}

/** For the verifiers of this folder only (dependency-cruiser keeps it so). */
export const verifiedPrincipal = (principal: Omit<Principal, typeof verified>): Principal =>
  principal as Principal;

/** The one answer to every failed authentication. */

/**
 * UNAUTHORIZED, always in the same words: the caller gets no hint of what was wrong. `reason` becomes the error's
 * cause, for the log and the metric of refusals; it is a fixed phrase and never holds what the caller sent.
 */
export const unauthorized = (reason: UnauthorizedReason): GatewayError =>
  new GatewayError("UNAUTHORIZED", { cause: reason });

type UnauthorizedReason =
  | "no credential"
  | "malformed credential"
  | "invalid token"
  | "wrong login"
  | "unknown account"
  | "credential changed"
  | "wrong api key"
  | "expired api key"
  | "wrong admin token";

/** An operator who tries a station out: the operators' own routes have admitted whoever it is. */
export const operatorPrincipal: Principal = verifiedPrincipal({
  kind: "operator",
  name: "operator",
  mayProduce: () => true,
  mayConsume: () => true,
  origins: [],
  limits: {},
});

/** A webhook source: its deliveries prove themselves one by one, and go to the one station it is declared for. */
export const webhookPrincipal = (source: string, station: string, limits: Limits): Principal =>
  verifiedPrincipal({
    kind: "webhook",
    name: source,
    mayProduce: (name) => name === station,
    mayConsume: () => false,
    origins: [],
    limits,
  });

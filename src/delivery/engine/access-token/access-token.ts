/**
 * Sends the requests of a delivery plan with an OAuth 2.0 access token. All requests of the plan share one token, and one token
 * request is in flight at a time.
 */
import type { Clock } from "../../../lib/clock.ts";
import { createSingleFlight } from "../../../lib/single-flight.ts";
import type { DeliveryRequest, HttpResult } from "../delivery-plan.ts";
import type { HttpClient } from "../http-client/http-client.ts";
import type { TokenUse } from "../transport.ts";
import { type Token, tokenOf, tokenRequestOf } from "./token-request.ts";

/** A token is renewed this long before its end, or a tenth of its lifetime if that is less. Milliseconds. */
const MARGIN_MS = 30_000;

interface CurrentToken {
  readonly authorization: string;
  /** Time from which the token is not used. */
  readonly until: number;
}

const currentOf = ({ authorization, lifetimeMs }: Token, requestedAt: number): CurrentToken => ({
  authorization,
  until:
    lifetimeMs === undefined ? Infinity : requestedAt + lifetimeMs - Math.min(MARGIN_MS, lifetimeMs / 10),
});

/** The token replaces an Authorization header that the request has. */
const withToken = (request: DeliveryRequest, authorization: string): DeliveryRequest => {
  const headers: string[] = [];
  for (let at = 0; at + 1 < request.headers.length; at += 2) {
    const [name = "", value = ""] = request.headers.slice(at, at + 2);
    if (name.toLowerCase() !== "authorization") headers.push(name, value);
  }
  headers.push("Authorization", authorization);
  return { ...request, headers };
};

/**
 * The client sends each request with the token. If there is no token, the result says why, and the request is not sent. The token
 * requests use the same client, so that its targets, time limits, proxy and certificates hold for them too.
 */
export const withAccessToken = (
  client: HttpClient,
  { endpoint, renewOn }: TokenUse,
  clock: Clock,
): HttpClient => {
  const request = tokenRequestOf(endpoint);
  const oneRequest = createSingleFlight<CurrentToken | HttpResult>();
  let current: CurrentToken | undefined;

  const renew = async (): Promise<CurrentToken | HttpResult> => {
    const requestedAt = clock.now();
    const token = tokenOf(await client.send(request), endpoint);
    if ("kind" in token) return token;
    current = currentOf(token, requestedAt);
    return current;
  };

  /** A token that another request has renewed in the meantime stays. */
  const forget = (token: CurrentToken): void => {
    if (current === token) current = undefined;
  };

  return {
    send: async (wanted) => {
      const isValid = current !== undefined && clock.now() < current.until;
      const token = isValid && current !== undefined ? current : await oneRequest("token", renew);
      if (!("authorization" in token)) return token;
      const result = await client.send(withToken(wanted, token.authorization));
      if ("kind" in result || !renewOn.has(result.status)) return result;
      forget(token);
      return { ...result, isTokenRefused: true };
    },
    close: () => client.close(),
  };
};

/** The cookies of sign-ins that a browser has begun with the identity provider: one for each tab. */
import type { Request, Response } from "express";
import { SIGN_IN_LIFETIME } from "../../../auth/oidc/authorization.ts";
import { cookieNames, cookieNamed } from "../../session-cookie.ts";

const PREFIX = "stationgate-signin-";
const PATH = "/session/oidc";

/** A browser with more of them has abandoned the oldest ones. All of them have to fit into the headers of one request. */
const MAX_COOKIES = 8;

export interface SignInCookies {
  set(exchange: Exchange, state: string, sealed: string): void;
  /** The cookie of the sign-in with this state. */
  get(request: Request, state: string): string | undefined;
  clear(exchange: Exchange, state: string): void;
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
}

const nameOf = (state: string): string => PREFIX + state.slice(0, 8);

export const createSignInCookies = (isSecure: boolean): SignInCookies => {
  const attributes = `; Path=${PATH}; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  const append = (response: Response, pair: string, maxAge: number): void => {
    response.appendHeader("Set-Cookie", `${pair}; Max-Age=${maxAge}${attributes}`);
  };
  return {
    set: ({ request, response }, state, sealed) => {
      // Browsers send the oldest cookies first (RFC 6265, 5.4).
      const begun = cookieNames(request).filter((name) => name.startsWith(PREFIX));
      for (const name of begun.slice(0, -(MAX_COOKIES - 1))) append(response, `${name}=`, 0);
      append(response, `${nameOf(state)}=${sealed}`, SIGN_IN_LIFETIME);
    },
    get: (request, state) => cookieNamed(nameOf(state), request),
    clear: ({ response }, state) => {
      append(response, `${nameOf(state)}=`, 0);
    },
  };
};

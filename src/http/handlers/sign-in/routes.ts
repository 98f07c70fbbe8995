/** The sign-in of operators with the identity provider: its beginning, and the callback. */
import type { Request } from "express";
import { wrongAnswer } from "../../../auth/oidc/failures.ts";
import { CALLBACK_PATH, type FinishedSignIn, type ProviderSignIn } from "../../../auth/oidc/sign-in.ts";
import type { OperatorSession } from "../../../auth/operators/operator-sessions.ts";
import type { OperatorAccess } from "../../../auth/operators/operators.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import type { Audit } from "../../../observability/audit.ts";
import { auditSignIn } from "../../audited.ts";
import type { Call } from "../../call.ts";
import { sendPage } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import type { SessionCookies } from "../../session-cookie.ts";
import { queryOf, queryTextOf } from "../../url.ts";
import * as documentation from "./documentation.ts";
import { signedInPage } from "./pages.ts";
import { createSignInCookies } from "./sign-in-cookies.ts";

export interface OfferedProvider {
  readonly signIn: ProviderSignIn;
  /** `scheme://host[:port]` of this listener in browsers. */
  readonly publicUrl: string;
  /** Its name on the sign-in page. */
  readonly label: string;
}

export interface SignInDependencies {
  /** undefined: the settings name no identity provider, and the routes answer 404. */
  readonly provider: OfferedProvider | undefined;
  readonly openSession: OperatorAccess["openSession"];
  readonly cookies: SessionCookies;
  /** Absent: sign-ins are not audited. */
  readonly audit?: Audit | undefined;
}

const BEGIN_PATH = "/session/oidc";

export const signInRoutes = (dependencies: SignInDependencies): readonly OpenRoute[] => {
  const { begin, finish } = handlersOf(dependencies);
  const row = { method: "GET", family: "problem", auth: "none" } as const;
  return [
    { ...row, path: BEGIN_PATH, documentation: documentation.beginSignIn, handler: begin },
    { ...row, path: CALLBACK_PATH, documentation: documentation.finishSignIn, handler: finish },
  ];
};

type Handlers = Readonly<Record<"begin" | "finish", OpenRoute["handler"]>>;

const handlersOf = (dependencies: SignInDependencies): Handlers => {
  const { provider } = dependencies;
  if (provider === undefined) return { begin: notFound, finish: notFound };
  const origin = new URL(provider.publicUrl);
  const signIns = createSignInCookies(origin.protocol === "https:");
  return {
    begin: async (call) => {
      const { request, response } = call;
      response.setHeader("Cache-Control", "no-store");
      if (!isAt(origin, request)) {
        const query = queryTextOf(request.url);
        redirect(call, `${origin.origin}${BEGIN_PATH}${query === "" ? "" : `?${query}`}`);
        return;
      }
      const { location, state, sealed } = await provider.signIn.begin(queryOf(request).get("return"));
      signIns.set(call, state, sealed);
      redirect(call, location);
    },
    finish: async (call) => {
      call.response.setHeader("Cache-Control", "no-store");
      const query = queryOf(call.request);
      const state = query.get("state") ?? "";
      const { operator, session, returnTo } = await audited(call, dependencies, async () => {
        const finished = await provider.signIn.finish(query, signIns.get(call.request, state));
        return { ...finished, session: openedSession(dependencies, finished) };
      });
      signIns.clear(call, state);
      dependencies.cookies.set(call, session);
      sendPage(call.response, 200, signedInPage(operator.name, returnTo));
    },
  };
};

const notFound = (): never => {
  throw new GatewayError("ROUTE_UNKNOWN");
};

const FOUND = 302;

const redirect = ({ response }: Call, location: string): void => {
  response.statusCode = FOUND;
  response.setHeader("Location", location);
  response.end();
};

/** A sign-in must begin at the host that the provider sends the browser back to: cookies belong to one host. */
const isAt = ({ protocol, host }: URL, request: Request): boolean => {
  // Both URLs omit the default port of the scheme.
  const asked = `${protocol}//${request.host}`;
  return URL.canParse(asked) && new URL(asked).host === host;
};

const openedSession = (
  { openSession }: SignInDependencies,
  { operator }: FinishedSignIn,
): OperatorSession => {
  try {
    return openSession(operator);
  } catch (error) {
    throw asGatewayError(error).code === "UNAUTHORIZED" ? wrongAnswer("sub too long for a session") : error;
  }
};

const audited = <T extends FinishedSignIn>(
  call: Call,
  { audit, provider }: SignInDependencies,
  finish: () => Promise<T>,
): Promise<T> =>
  auditSignIn(
    call,
    { audit, action: "session.begin", via: "oidc" },
    finish,
    ({ operator: { name, role, sub } }) => ({
      by: { actor: name, role, via: "oidc", subject: { iss: provider?.signIn.issuer ?? "", sub } },
      status: 200,
    }),
  );

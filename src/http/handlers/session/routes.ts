/** Sessions of operators: sign-in with a token, sign-out, and the operator of a request. */
import { z } from "zod";
import type { OperatorAccess } from "../../../auth/operators/operators.ts";
import { GatewayError } from "../../../errors.ts";
import type { Audit } from "../../../observability/audit.ts";
import { auditSignIn } from "../../audited.ts";
import type { Call } from "../../call.ts";
import { readFields } from "../../fields.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { sendJson, sendPage } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import type { SessionCookies } from "../../session-cookie.ts";
import { signedOutPage } from "../sign-in/pages.ts";
import * as documentation from "./documentation.ts";

export interface SessionRouteDependencies {
  readonly signInOperator: OperatorAccess["signInOperator"];
  readonly cookies: SessionCookies;
  readonly readBody: ReadBody;
  /** The URL that ends the session at the identity provider; undefined: sign-out stays here. */
  readonly endSessionUrl?: (() => string | undefined) | undefined;
  /** Absent: sign-ins are not audited. */
  readonly audit?: Audit | undefined;
}

const fields = z.object({ token: z.string() });

const SEE_OTHER = 303;

const goHome = ({ response }: Call): void => {
  response.statusCode = SEE_OTHER;
  response.setHeader("Location", "/");
  response.end();
};

export const sessionRoutes = (dependencies: SessionRouteDependencies): readonly OpenRoute[] => {
  const { cookies, endSessionUrl } = dependencies;
  return [
    {
      method: "GET",
      path: "/session",
      family: "problem",
      auth: "admin",
      documentation: documentation.showSession,
      handler: showSession,
    },
    {
      method: "POST",
      path: "/session",
      family: "problem",
      auth: "none",
      documentation: documentation.signIn,
      handler: signIn(dependencies),
    },
    {
      method: "POST",
      path: "/session/end",
      family: "problem",
      auth: "admin",
      role: "viewer",
      audit: "session.end",
      documentation: documentation.signOut,
      handler: (call) => {
        cookies.clear(call);
        const url = call.operator?.via === "oidc" ? endSessionUrl?.() : undefined;
        if (url === undefined) goHome(call);
        else sendPage(call.response, 200, signedOutPage(url));
      },
    },
  ];
};

/** The default text of FIELDS_INVALID names the fields of accounts. */
const withoutAccounts = (cause: unknown): never => {
  if (!(cause instanceof GatewayError) || cause.code !== "FIELDS_INVALID") throw cause;
  throw new GatewayError("FIELDS_INVALID", {
    message: "The body must be a form or JSON, with the member token",
    cause,
  });
};

const showSession = ({ operator, response }: Call): void => {
  if (operator === undefined) throw new GatewayError("UNAUTHORIZED");
  const { name, role, via, expires } = operator;
  response.setHeader("Cache-Control", "no-store");
  sendJson(response, 200, {
    ...{ name, role, via },
    expires: expires === undefined ? null : new Date(expires).toISOString(),
  });
};

const signIn =
  ({ signInOperator, cookies, readBody, audit }: SessionRouteDependencies) =>
  async (call: Call): Promise<void> => {
    const { request } = call;
    const signedIn = async () => {
      const body = await readFields(request, readBody, { literals: [] }).catch(withoutAccounts);
      return signInOperator(fields.safeParse(body).data?.token ?? "", request.ip ?? "");
    };
    const { session } = await auditSignIn(
      call,
      { audit, action: "session.begin", via: "token" },
      signedIn,
      ({ operator: { name, role, via } }) => ({ by: { actor: name, role, via }, status: SEE_OTHER }),
    );
    cookies.set(call, session);
    goHome(call);
  };

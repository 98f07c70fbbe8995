/** `/auth/authenticate` and `/auth/refreshToken`: they parse the fields of the body and send the tokens. */
import type { z } from "zod";
import { bearerToken } from "../../../auth/authenticator.ts";
import type { RefreshRequest, Sessions, SignInRequest, TokenPair } from "../../../auth/session.ts";
import { GatewayError } from "../../../errors.ts";
import type { Audit } from "../../../observability/audit.ts";
import { auditSignIn } from "../../audited.ts";
import type { Call } from "../../call.ts";
import { readFields } from "../../fields.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { sendJson } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import { queryOf } from "../../url.ts";
import * as documentation from "./documentation.ts";
import { LITERALS, refreshFields, signInFields, urlAccountId } from "./documentation.ts";

export interface AuthRouteDependencies {
  readonly sessions: Sessions;
  readonly readBody: ReadBody;
  /** Absent: sign-ins of clients are not audited. */
  readonly audit?: Audit | undefined;
}

export const authRoutes = ({ sessions, readBody, audit }: AuthRouteDependencies): readonly OpenRoute[] => {
  const row = { method: "POST", family: "auth", auth: "none" } as const;

  const signIn = (call: Call, fields: z.output<typeof signInFields>): Promise<TokenPair> => {
    const wanted = signInRequest(fields, call);
    return auditSignIn(
      call,
      { audit, action: "client.sign-in", actor: sessions.accountOf(wanted) },
      () => sessions.signIn(wanted),
      () => ({ by: {}, status: 200 }),
    );
  };

  const authenticate = async (call: Call): Promise<void> => {
    const body = await readFields(call.request, readBody, { literals: LITERALS });
    const fields = parse(signInFields, body);
    // Debezium 2.7 and 3.0 send a refresh to this route: a refresh token without a username.
    const token = fields.username ? undefined : fields.jwt_refresh_token;
    if (token) sendTokens(call, sessions.refresh({ token, ...lifetimesOf(fields) }));
    else sendTokens(call, await signIn(call, fields));
  };

  const refreshToken = async (call: Call): Promise<void> => {
    const body = await readFields(call.request, readBody, { literals: LITERALS, whenEmpty: {} });
    const fields = parse(refreshFields, body);
    const token = fields.jwt_refresh_token ?? bearerToken(call.request.headers.authorization ?? "") ?? "";
    sendTokens(call, sessions.refresh({ token, ...lifetimesOf(fields) }));
  };

  return [
    { ...row, path: "/auth/authenticate", documentation: documentation.authenticate, handler: authenticate },
    { ...row, path: "/auth/refreshToken", documentation: documentation.refreshToken, handler: refreshToken },
  ];
};

const sendTokens = ({ response }: Call, pair: TokenPair): void => {
  response.setHeader("Cache-Control", "no-store");
  sendJson(response, 200, tokens(pair));
};

const parse = <T>(shape: z.ZodType<T>, fields: unknown): T => {
  const { success, data } = shape.safeParse(fields);
  if (!success) throw new GatewayError("FIELDS_INVALID");
  return data;
};

const signInRequest = (fields: z.output<typeof signInFields>, { request }: Call): SignInRequest => {
  const accountId = accountIdOf(request);
  if (!fields.username) throw new GatewayError("USERNAME_REQUIRED");
  return {
    username: fields.username,
    connectionToken: fields.connection_token ?? undefined,
    password: fields.password ?? undefined,
    accountId: fields.account_id ?? accountId,
    scope: fields.scope ?? undefined,
    refresh: fields.refresh ?? undefined,
    ...lifetimesOf(fields),
    address: request.ip ?? "",
  };
};

/** The query parameter `accountId`. The body's `account_id` takes precedence, but an invalid parameter is always refused. */
const accountIdOf = (request: Call["request"]): number | undefined => {
  const given = queryOf(request).getAll("accountId");
  if (given.length === 0) return undefined;
  const { success, data } = urlAccountId.safeParse(given);
  if (!success) throw new GatewayError("FIELDS_INVALID");
  return data;
};

const lifetimesOf = (
  fields: z.output<typeof refreshFields> | z.output<typeof signInFields>,
): Pick<RefreshRequest, "accessTtlMinutes" | "refreshTtlMinutes"> => ({
  accessTtlMinutes: fields.token_expiry_in_minutes ?? undefined,
  refreshTtlMinutes: fields.refresh_token_expiry_in_minutes ?? undefined,
});

/** The answer, with the field names of the Memphis gateway. Lifetimes are in milliseconds. */
const tokens = ({ jwt, expiresInMs, refresh }: TokenPair): Record<string, string | number> => ({
  jwt,
  expires_in: expiresInMs,
  ...(refresh && { jwt_refresh_token: refresh.jwt, refresh_token_expires_in: refresh.expiresInMs }),
});

/**
 * The token request of deliveries: the client credentials of OAuth 2.0 (RFC 6749, section 4.4), in the form in which Aiven's and
 * Confluent's sinks send it. Unlike RFC 6749 they don't encode id and secret before they make Basic credentials of them.
 */
import type { DeliveryRequest, HttpResult } from "../delivery-plan.ts";
import type { TokenEndpoint } from "../transport.ts";

export const tokenRequestOf = (endpoint: TokenEndpoint): DeliveryRequest => {
  const { url, clientId, clientSecret, scope, credentials, fields, audience } = endpoint;
  const inForm = credentials === "form";
  const form = new URLSearchParams({ [fields.grantType]: endpoint.grantType });
  if (scope !== undefined) form.append("scope", scope);
  if (inForm) {
    form.append(fields.clientId, clientId);
    form.append(fields.clientSecret, clientSecret);
  }
  if (audience !== undefined) form.append("audience", audience);
  for (const [name, value] of endpoint.extra) form.append(name, value);
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: "POST",
    headers: [
      ...endpoint.headers,
      ...["Accept", "application/json", "Content-Type", "application/x-www-form-urlencoded"],
      ...(inForm ? [] : ["Authorization", `Basic ${basic}`]),
    ],
    body: Buffer.from(form.toString()),
  };
};

export interface Token {
  /** Value of the Authorization header. */
  readonly authorization: string;
  /** undefined: the answer doesn't say when the token ends. */
  readonly lifetimeMs: number | undefined;
}

type Failure = Extract<HttpResult, { readonly kind: string }>;

/** What HTTP allows in a header (RFC 9110, section 5.5). */
const FIELD_VALUE = /^[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*$/;

const parsed = (body: Buffer): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};

/** The error code of RFC 6749, section 5.2. A longer text could contain a secret. */
const codeIn = ({ error }: Readonly<Record<string, unknown>>): string =>
  typeof error === "string" && /^[\w-]{1,64}$/.test(error) ? ` (${error})` : "";

const lifetimeIn = ({ expires_in: given }: Readonly<Record<string, unknown>>): number | undefined => {
  const seconds = typeof given === "number" || typeof given === "string" ? Number(given) : Number.NaN;
  return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined;
};

/**
 * The token of an answer, or the failure of the attempt that needed it. An answer without a token stops the task, because the next
 * answer would have none either. No text contains anything of the answer except its error code.
 */
export const tokenOf = (result: HttpResult, { tokenProperty }: TokenEndpoint): Token | Failure => {
  if ("kind" in result)
    return { kind: result.kind, error: `The token endpoint can't be used: ${result.error}` };
  const { status } = result;
  const members = parsed(result.body);
  if (status < 200 || status > 299)
    return {
      kind: "lost",
      error: `The token endpoint answered with HTTP status ${status}${codeIn(members)}`,
    };
  const token = members[tokenProperty];
  if (typeof token !== "string" || token === "")
    return { kind: "forbidden", error: `The answer of the token endpoint has no ${tokenProperty}` };
  const { token_type: type } = members;
  const authorization = `${typeof type === "string" && type !== "" ? type : "Bearer"} ${token}`;
  if (FIELD_VALUE.test(authorization)) return { authorization, lifetimeMs: lifetimeIn(members) };
  return { kind: "forbidden", error: "The token has characters that a header can't have" };
};

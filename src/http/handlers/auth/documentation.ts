/** What a client sends to sign in, and to stay so. */
import { z } from "zod";
import { scopeShape } from "../../../auth/scope.ts";
import { type Answer, type Content, type Documentation, json } from "../../documentation.ts";

const lifetimes = {
  token_expiry_in_minutes: z.int().nullish(),
  refresh_token_expiry_in_minutes: z.int().nullish(),
};

/** null is what a client sends for what it hasn't got. */
export const signInFields = z.object({
  ...lifetimes,
  username: z.string().nullish(),
  connection_token: z.string().nullish(),
  password: z.string().nullish(),
  account_id: z.int().nullish(),
  refresh: z.boolean().nullish(),
  scope: z.unknown().optional(),
  jwt_refresh_token: z.string().nullish(),
});

export const refreshFields = z.object({ ...lifetimes, jwt_refresh_token: z.string().nullish() });

/** Fields that aren't texts. */
export const LITERALS = [...Object.keys(lifetimes), "account_id", "refresh", "scope"];

/** The values of `?accountId=`: one, as in `account_id`. */
export const urlAccountId = z
  .tuple([z.string().regex(/^-?\d{1,15}$/)])
  .transform(([digits]) => Number(digits));

/** Signing in. */

const TAG = "Sign in";

const tokens: Answer = {
  description: "Tokens; lifetimes are in milliseconds.",
  content: json(
    z
      .object({
        jwt: z.string(),
        expires_in: z.int(),
        jwt_refresh_token: z.string().optional(),
        refresh_token_expires_in: z.int().optional(),
      })
      .meta({ id: "Tokens" }),
  ),
};

const fields = (shape: z.ZodType): Content => ({
  "application/json": shape,
  "application/x-www-form-urlencoded": shape,
});

export const authenticate: Documentation = {
  id: "authenticate",
  tag: TAG,
  summary: "Sign an account in",
  description:
    "One credential that is right is enough. A `scope` narrows the access token to stations, actions and origins; " +
    "`refresh: false` leaves the refresh token out. A body without `username` but with `jwt_refresh_token` is a refresh, " +
    "as Debezium sends it.",
  query: {
    accountId: {
      description: "The account id, if the body has no `account_id` and the username no `$` with an id.",
      schema: z.string().regex(/^-?\d{1,15}$/),
    },
  },
  body: {
    content: fields(signInFields.extend({ scope: scopeShape.optional() })),
  },
  answers: { 200: tokens },
  errors: ["FIELDS_INVALID", "USERNAME_REQUIRED", "SCOPE_INVALID", "UNAUTHORIZED", "LOGIN_THROTTLED"],
};

export const refreshToken: Documentation = {
  id: "refreshToken",
  tag: TAG,
  summary: "A new pair of tokens for a refresh token",
  description: "The refresh token in the body, or as `Authorization: Bearer …` with no body at all.",
  body: { content: fields(refreshFields), optional: true },
  answers: { 200: tokens },
  errors: ["FIELDS_INVALID", "UNAUTHORIZED"],
};

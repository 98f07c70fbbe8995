/** The routes that sign an account in and refresh its tokens. */
import { z } from "zod";
import { scopeShape } from "../../../auth/scope.ts";
import { type Answer, type Content, type Documentation, json } from "../../documentation.ts";

const lifetimes = {
  token_expiry_in_minutes: z.int().nullish(),
  refresh_token_expiry_in_minutes: z.int().nullish(),
};

/** Clients send null for fields that they don't use. */
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

/** Fields that are not strings. */
export const LITERALS = [...Object.keys(lifetimes), "account_id", "refresh", "scope"];

/** The values of `?accountId=`: exactly one number, as in `account_id`. */
export const urlAccountId = z
  .tuple([z.string().regex(/^-?\d{1,15}$/)])
  .transform(([digits]) => Number(digits));

const TAG = "Sign in";

const tokens: Answer = {
  description: "The tokens. Lifetimes are in milliseconds.",
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
    "Send `connection_token` or `password`; if both are sent, one correct value is enough. `scope` limits the access token to stations, actions and origins. With " +
    "`refresh: false` the answer has no refresh token. A body with `jwt_refresh_token` and without `username` is a refresh; " +
    "Debezium sends its refreshes in this form.",
  query: {
    accountId: {
      description:
        "Id of the account. Used if the body has no `account_id` and the username does not end with `$` and an id.",
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
  summary: "Exchange a refresh token for a new pair of tokens",
  description: "Send the refresh token in the body, or as `Authorization: Bearer …` without a body.",
  body: { content: fields(refreshFields), optional: true },
  answers: { 200: tokens },
  errors: ["FIELDS_INVALID", "UNAUTHORIZED"],
};

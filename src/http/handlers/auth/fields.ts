/** What a client sends to sign in, and to stay so. */
import { z } from "zod";

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

/** The name and the role of an operator, by the claims of the identity provider. */
import { claimReader, textsOf } from "../issuers/claims.ts";
import type { JsonObject } from "../issuers/jws.ts";
import { type Role, ROLES } from "../operators/operator.ts";
import type { ProviderOptions } from "./provider.ts";

export interface Claimed {
  /** True if the claims say which roles the operator has, perhaps none. */
  readonly hasRoles: (claims: JsonObject) => boolean;
  /** The highest role of the claims. */
  roleOf(claims: JsonObject): Role | undefined;
  /** The first usable name in these claims, else `sub`. */
  nameOf(sub: string, ...claims: readonly JsonObject[]): string;
}

/** Without control and format characters, and without halves of a character that needs two UTF-16 units. */
const NAME = /^(?=.*\S)[^\p{Cc}\p{Cf}\p{Cs}]{1,256}$/u;

type ClaimSettings = Pick<ProviderOptions, "nameClaim" | "rolesClaim" | "roles">;

export const createClaimed = ({ nameClaim, rolesClaim, roles }: ClaimSettings): Claimed => {
  const readName = claimReader(nameClaim);
  const readRoles = claimReader(rolesClaim);
  return {
    hasRoles: (claims) => readRoles(claims) !== undefined,
    roleOf: (claims) => {
      const values = new Set(textsOf(readRoles(claims)));
      return ROLES.findLast((role) => roles[role].some((value) => values.has(value)));
    },
    nameOf: (sub, ...claims) =>
      claims.map(readName).find((name): name is string => typeof name === "string" && NAME.test(name)) ?? sub,
  };
};

/** The door of the operators' listener. */
import { bearerToken } from "./authenticator.ts";
import { storedSecret, type VerifySecret } from "./secrets.ts";
import { unauthorized } from "./unauthorized.ts";

/** Takes the Authorization header; fails with UNAUTHORIZED unless it is `Bearer <admin token>`. */
export type AdmitOperator = (authorizationHeader: string | undefined) => Promise<void>;

interface OperatorDependencies {
  /** Plain, or a scrypt hash. Without one nobody is admitted. */
  readonly adminToken: string | undefined;
  readonly verify: VerifySecret;
}

export const createOperatorDoor = ({ adminToken, verify }: OperatorDependencies): AdmitOperator => {
  const secret = adminToken === undefined ? undefined : storedSecret(adminToken);
  return async (authorizationHeader) => {
    const token = bearerToken(authorizationHeader ?? "");
    if (secret === undefined || token === undefined || !(await verify(secret, token)))
      throw unauthorized("wrong admin token");
  };
};

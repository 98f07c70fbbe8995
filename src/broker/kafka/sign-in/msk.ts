/** Tokens for Amazon MSK with IAM: a request that is signed with the credentials of AWS, valid for 15 minutes. */
import { SignInFailure } from "./sasl.ts";
import { checkedToken, type FetchedToken } from "./token-source.ts";

interface SignedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiryTime: number;
}

/** The functions of the package `aws-msk-iam-sasl-signer-js` that are used. */
export interface MskSigner {
  generateAuthToken(options: { readonly region: string }): Promise<SignedToken>;
  generateAuthTokenFromRole(options: {
    readonly region: string;
    readonly awsRoleArn: string;
    readonly awsRoleSessionName: string;
  }): Promise<SignedToken>;
}

const SESSION_NAME = "stationgate";

interface MskOptions {
  readonly region: string;
  /** The role whose rights are used. undefined: those of the credentials that the AWS SDK finds. */
  readonly roleArn: string | undefined;
  readonly signer: MskSigner;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Each call signs one token. Rejects with SignInFailure. */
export const createMskFetch =
  ({ region, roleArn, signer, now }: MskOptions) =>
  async (): Promise<FetchedToken> => {
    const signed =
      roleArn === undefined
        ? signer.generateAuthToken({ region })
        : signer.generateAuthTokenFromRole({ region, awsRoleArn: roleArn, awsRoleSessionName: SESSION_NAME });
    const { token, expiryTime } = await signed.catch((error: unknown) => {
      throw new SignInFailure(`AWS gives no token: ${error instanceof Error ? error.message : "unknown"}`);
    });
    return { token: checkedToken(token, "the signer of AWS"), lifetime: expiryTime - now() };
  };

declare module "aws-msk-iam-sasl-signer-js" {
  export interface SignedToken {
    readonly token: string;
    readonly expiryTime: number;
  }
  export const generateAuthToken: (options: { readonly region: string }) => Promise<SignedToken>;
  export const generateAuthTokenFromRole: (options: {
    readonly region: string;
    readonly awsRoleArn: string;
    readonly awsRoleSessionName: string;
  }) => Promise<SignedToken>;
}

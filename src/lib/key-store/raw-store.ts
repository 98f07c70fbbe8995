/** What the formats of key stores have in common. */

/** A key store that can't be used. The message is a clause about the file and contains nothing of it. */
export class KeyStoreFault extends Error {}

/** DER bytes. */
export interface RawStore {
  readonly certificates: readonly Buffer[];
  readonly key: { readonly pkcs8: Buffer; readonly chain: readonly Buffer[] } | undefined;
}

export interface StorePasswords {
  /** undefined: the integrity of a JKS file isn't checked. */
  readonly store: string | undefined;
  /** Password of the private key. Default: the password of the store. */
  readonly key?: string | undefined;
}

/** How the requests of a delivery plan reach their target: certificates, proxy, access token. */

export interface Transport {
  /** Absent: Node's certificate authorities, and no client certificate. */
  readonly tls?: TlsMaterial | undefined;
  /** Absent: the requests go to the target directly. */
  readonly proxy?: Proxy | undefined;
  /** Absent: the requests carry no access token. */
  readonly accessToken?: TokenUse | undefined;
}

/** Certificates and keys as PEM. */
export interface TlsMaterial {
  /** Certificates of the authorities. Absent: Node's. */
  readonly authorities?: readonly string[] | undefined;
  /** Absent: no client certificate. */
  readonly client?: { readonly key: string; readonly chain: string } | undefined;
  /** The certificate may name any host. Default: false. */
  readonly anyHostName?: boolean;
}

export interface Proxy {
  /** `http://host:port`. */
  readonly origin: string;
  /** Value of Proxy-Authorization. undefined: the proxy wants none. */
  readonly authorization: string | undefined;
}

/** An OAuth 2.0 access token, which all requests of the plan share. */
export interface TokenUse {
  readonly endpoint: TokenEndpoint;
  /** Statuses of the target that say that the token is no longer valid. */
  readonly renewOn: ReadonlySet<number>;
}

export interface TokenEndpoint {
  readonly url: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
  /** Where id and secret are: in the Authorization header, or in the form. */
  readonly credentials: "header" | "form";
  /** Names of the form's fields. */
  readonly fields: { readonly grantType: string; readonly clientId: string; readonly clientSecret: string };
  readonly grantType: string;
  readonly audience: string | undefined;
  /** Further fields: names and values. */
  readonly extra: readonly (readonly [name: string, value: string])[];
  /** Further headers: names and values, alternating. */
  readonly headers: readonly string[];
  /** The member of the answer that has the token. */
  readonly tokenProperty: string;
}

/** An identity provider on loopback with a discovery document, a key set and tokens. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface ProviderKey {
  readonly kid: string;
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly privateKey: KeyObject;
}

export interface IdentityProvider {
  readonly issuer: string;
  /** Paths of the requests so far. */
  readonly requests: readonly string[];
  /** The keys of the set. The last one signs. */
  keys: readonly ProviderKey[];
  /** "hanging": it accepts requests and never answers. */
  state: "up" | "hanging";
  token(claims?: Readonly<Record<string, unknown>>): string;
  /** Stops listening, so that connections are refused. `start` listens on the same port again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const providerKey = (kid: string): ProviderKey => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid, jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig" }, privateKey };
};

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export const startIdentityProvider = async (): Promise<IdentityProvider> => {
  const requests: string[] = [];
  let server: Server;
  let port = 0;

  const listen = async (): Promise<void> => {
    server = createServer(({ url = "" }, response) => {
      requests.push(url);
      if (self.state === "hanging") return;
      const answer = url.startsWith("/jwks")
        ? { keys: self.keys.map(({ jwk }) => jwk) }
        : { issuer: self.issuer, jwks_uri: `${self.issuer}/jwks` };
      response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
    await once(server.listen(port, "127.0.0.1"), "listening");
    ({ port } = server.address() as AddressInfo);
  };

  const self: IdentityProvider = {
    get issuer() {
      return `http://127.0.0.1:${port}`;
    },
    requests,
    keys: [providerKey("first")],
    state: "up",
    token: (claims = {}) => {
      const key = self.keys.at(-1);
      if (key === undefined) throw new TypeError("the provider has no key");
      const seconds = Math.floor(Date.now() / 1000);
      const all = {
        iss: self.issuer,
        aud: "stationgate",
        sub: "ann",
        iat: seconds,
        exp: seconds + 600,
        ...claims,
      };
      const data = `${encoded({ alg: "ES256", typ: "at+jwt", kid: key.kid })}.${encoded(all)}`;
      const signature = sign("sha256", Buffer.from(data), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
      return `${data}.${signature.toString("base64url")}`;
    },
    stop: async () => {
      const closed = once(server, "close");
      server.close().closeAllConnections();
      await closed;
    },
    start: listen,
  };
  await listen();
  return self;
};

/** TLS of the calls to a gateway: the CA that signed its certificate, and a certificate of the client. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Agent } from "undici";
import { CommandFailure } from "./shell.ts";

/** PEM texts. */
export interface ClientTls {
  /** These CAs are trusted instead of the system's. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Paths of PEM files. */
export interface ClientTlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  /** Default: the key is in the file of the certificate. */
  readonly key: string | undefined;
}

const failure = (path: string, lack: string): CommandFailure =>
  new CommandFailure("usage", `${path} contains no ${lack} (PEM)`);

const authorities = (path: string, text: string): string => {
  try {
    // Node ignores a text without a certificate.
    new X509Certificate(text);
    return text;
  } catch {
    throw failure(path, "certificate of a CA");
  }
};

const pair = (certPath: string, keyPath: string, read: (path: string) => string) => {
  const [cert, key] = [read(certPath), read(keyPath)];
  try {
    new X509Certificate(cert);
  } catch {
    throw failure(certPath, "certificate");
  }
  try {
    createSecureContext({ cert, key });
  } catch {
    throw failure(keyPath, `private key of the certificate in ${certPath}`);
  }
  return { cert, key };
};

/** Reads and checks the files. Returns undefined without any. */
export const readClientTls = (
  { ca, cert, key }: ClientTlsFiles,
  read: (path: string) => string,
): ClientTls | undefined => {
  if (cert === undefined && key !== undefined)
    throw new CommandFailure("usage", `the key ${key} needs its certificate: give --cert`);
  if (ca === undefined && cert === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca: authorities(ca, read(ca)) }),
    ...(cert !== undefined && pair(cert, key ?? cert, read)),
  };
};

/** What the client uses of an answer. */
export interface FetchedAnswer {
  readonly status: number;
  readonly headers: Pick<Headers, "get">;
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
}

const agents = new WeakMap<ClientTls, Agent>();

/** As `fetch`, with this TLS. Node's own fetch has no option for TLS; undici takes time to load, so it is loaded only for TLS. */
export const fetchWith = async (
  tls: ClientTls | undefined,
  url: string,
  init: {
    method: string;
    redirect: "manual";
    headers: Record<string, string>;
    body?: Buffer | string;
    signal: AbortSignal;
  },
): Promise<FetchedAnswer> => {
  if (tls === undefined) return fetch(url, init);
  const undici = await import("undici");
  const agent = agents.get(tls) ?? new undici.Agent({ connect: { ...tls } });
  agents.set(tls, agent);
  return undici.fetch(url, { ...init, dispatcher: agent });
};

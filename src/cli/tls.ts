/** TLS of the calls to a gateway: the CA that signed its certificate, and a certificate of the client. */
import { createSecureContext } from "node:tls";
import type { Agent } from "undici";
import { certificatesIn } from "../lib/pem.ts";
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

/** Returns the text if it has certificates. Node ignores a text without any. */
const certificates = (path: string, text: string): string => {
  const found = certificatesIn(text);
  if (typeof found === "string") throw new CommandFailure("usage", `got ${path}, ${found}`);
  return text;
};

const pair = (certPath: string, keyPath: string, read: (path: string) => string) => {
  const [cert, key] = [certificates(certPath, read(certPath)), read(keyPath)];
  try {
    createSecureContext({ cert, key });
  } catch {
    throw new CommandFailure(
      "usage",
      `${keyPath} contains no private key of the certificate in ${certPath} (PEM)`,
    );
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
    ...(ca !== undefined && { ca: certificates(ca, read(ca)) }),
    ...(cert !== undefined && pair(cert, key ?? cert, read)),
  };
};

/** The parts of an answer that the client uses. */
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

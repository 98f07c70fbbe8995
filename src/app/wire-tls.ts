/** TLS of the listeners: their pairs, and the metrics of their certificates and handshakes. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { GatewayError } from "../errors.ts";
import type { HttpServer } from "../http/server.ts";
import type { ServerTls } from "../http/tls/tls-listener.ts";
import type { Metrics } from "../observability/metrics.ts";
import { type PemFiles, tlsOptionsOf } from "../http/tls/secure-context.ts";
import type { TlsFiles } from "./read-tls.ts";

type ListenerName = keyof TlsFiles;
type TlsMetrics = Pick<Metrics, "tlsCertificate" | "tlsFailed">;

/** Of the URLs of a listener. */
export const schemeOf = (pem: PemFiles | undefined): "http" | "https" =>
  pem === undefined ? "http" : "https";

/** undefined: this listener has no TLS. */
export const serverTls = (
  listener: ListenerName,
  files: TlsFiles,
  metrics: TlsMetrics,
): ServerTls | undefined => {
  const pem = files[listener];
  if (pem === undefined) return undefined;
  metrics.tlsCertificate(listener, notAfter(pem.cert));
  return {
    pem,
    onFailure: (reason) => {
      metrics.tlsFailed(listener, reason);
    },
  };
};

/** Throws SETTINGS_INVALID if a listener can't use its pair. */
export const requirePairs = (files: TlsFiles): void => {
  for (const pem of Object.values(files) as PemFiles[]) {
    try {
      createSecureContext(tlsOptionsOf(pem));
    } catch (cause) {
      const message = `the certificate and the key of a port can't be used (${(cause as Error).message})`;
      throw new GatewayError("SETTINGS_INVALID", { message, cause });
    }
  }
};

/** The listeners use these pairs from now on. TLS itself can't be turned on or off this way. */
export const renewTls = (
  servers: Readonly<Record<ListenerName, Pick<HttpServer, "renewTls">>>,
  files: TlsFiles,
  metrics: TlsMetrics,
): void => {
  for (const listener of ["public", "admin"] as const) {
    const pem = files[listener];
    if (pem === undefined) continue;
    servers[listener].renewTls(pem);
    metrics.tlsCertificate(listener, notAfter(pem.cert));
  }
};

/** Unix time in seconds at which the first certificate of the text expires. */
const notAfter = (cert: string): number => Date.parse(new X509Certificate(cert).validTo) / 1000;

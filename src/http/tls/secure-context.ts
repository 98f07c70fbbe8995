/** The PEM texts of one port, and the options of node's TLS that are made of them. */
import { constants } from "node:crypto";
import type { TlsOptions } from "node:tls";

/** Plain data, which can be sent to another process. */
export interface PemFiles {
  /** The certificate of the port, then its intermediate certificates. */
  readonly cert: string;
  readonly key: string;
  readonly keyPassphrase?: string | undefined;
  /** The CA certificates that verify client certificates; undefined with `clientAuth: none`. */
  readonly ca?: string | undefined;
  readonly clientAuth: "none" | "optional" | "required";
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** 48 secret bytes, the same in all workers: so a client can resume its session in any of them. */
  readonly ticketKeys: Uint8Array;
}

/** Sessions of other programs with the same ticket keys don't count. */
const SESSION_CONTEXT = "stationgate";

/**
 * For `createSecureContext` and for a server. No session is resumed if clients may have certificates: node would not verify
 * the certificate again, so a client of a removed CA would stay verified. node keeps no sessions by itself, only tickets.
 */
export const tlsOptionsOf = (pem: PemFiles): TlsOptions => ({
  cert: pem.cert,
  key: pem.key,
  passphrase: pem.keyPassphrase,
  ca: pem.ca,
  minVersion: pem.minVersion,
  sessionIdContext: SESSION_CONTEXT,
  ...(pem.clientAuth === "none"
    ? { secureOptions: constants.SSL_OP_NO_RENEGOTIATION, ticketKeys: Buffer.from(pem.ticketKeys) }
    : { secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET }),
});

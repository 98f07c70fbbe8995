/** Why a connection did not become secure: the label `reason` of the metric. */
import type { TLSSocket } from "node:tls";

export type TlsFailure =
  "protocol" | "no certificate" | "certificate refused" | "not TLS" | "timeout" | "other";

/** Bytes: the headers of the first record and of its message. */
export const HEAD_BYTES = 9;

/** Content type of a TLS record with a handshake message, and the type of a ClientHello (RFC 8446, 4 and 5.1). */
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

/** OpenSSL allocates the claimed size at once. Browsers send up to 2 KB, with resumed sessions some KB more. */
const LONGEST_HELLO = 16 * 1024;

/** The fault of the first bytes of a connection; undefined: a ClientHello begins. `head` may be shorter than HEAD_BYTES. */
export const faultOfHead = (head: Buffer): TlsFailure | undefined => {
  if (head[0] !== HANDSHAKE) return "not TLS";
  if (head.length < HEAD_BYTES) return undefined;
  return head[5] === CLIENT_HELLO && head.readUIntBE(6, 3) <= LONGEST_HELLO ? undefined : "protocol";
};

/** The words of OpenSSL's codes that mean a disagreement about versions, ciphers, curves or ALPN, or broken messages. */
const PROTOCOL =
  /_(UNSUPPORTED_PROTOCOL|VERSION|NO_SHARED|NO_APPLICATION_PROTOCOL|NO_SUITABLE|UNEXPECTED|BAD_|DECODE|LENGTH|UNKNOWN_PROTOCOL)/;

/** Of the error of a handshake that node reports. */
export const failureOf = ({ code = "" }: NodeJS.ErrnoException, socket: TLSSocket): TlsFailure => {
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "no certificate";
  // node has verified the certificate and has closed the connection without an error of its own.
  if (!socket.authorized && (socket.authorizationError as Error | null) !== null && code === "ECONNRESET")
    return "certificate refused";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_HTTP_REQUEST") return "not TLS";
  return PROTOCOL.test(code) ? "protocol" : "other";
};

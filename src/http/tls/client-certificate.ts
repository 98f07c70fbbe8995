/** The verified certificate of a client, for the connection that showed it. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { namesOf } from "../../auth/certificate-names.ts";
import type { ClientCertificate } from "../../auth/certificates.ts";

const certificates = new WeakMap<Socket, ClientCertificate>();

/** The certificate that TLS has verified on this connection; undefined: the client showed none. */
export const certificateOf = (socket: Socket): ClientCertificate | undefined => certificates.get(socket);

/**
 * Keeps the certificate of a connection whose handshake has ended. Returns false if the client showed one that is expired, not
 * yet valid, of another CA or not for clients: node alone goes on with such a connection.
 */
export const keepCertificate = (socket: TLSSocket): boolean => {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return true;
  if (!socket.authorized) return false;
  certificates.set(socket, { names: namesOf(shown.raw), notAfter: Date.parse(shown.validTo) });
  return true;
};

/**
 * The verified certificate of a client, for the connection that showed it. OpenSSL verifies it in the handshake. When the CAs
 * change, certificates of open connections and of handshakes in progress are checked again, at their next use.
 */
import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { namesOf } from "../../auth/certificate-names.ts";
import type { ClientCertificate } from "../../auth/certificates.ts";
import { certificatesIn } from "../../lib/pem.ts";
import { fieldsOf, MalformedDer } from "../../lib/x509.ts";

const certificates = new WeakMap<Socket, ClientCertificate>();

/** The certificate that TLS has verified on this connection; undefined: the client showed none. */
export const certificateOf = (socket: Socket): ClientCertificate | undefined => certificates.get(socket);

/**
 * Keeps the certificate of a connection whose handshake has ended. Returns false if the client showed one that is expired, not
 * yet valid, not for clients, or of another CA than those in use: node alone goes on with such a connection.
 */
type KeepCertificate = (socket: TLSSocket) => boolean;

/**
 * The client certificates of a listener. The returned function changes its CAs (PEM text; undefined: none). It returns the
 * function that keeps the certificates which a TLS server with these CAs has verified.
 */
export const createClientCertificates = (): ((ca: string | undefined) => KeepCertificate) => {
  let inUse: Authorities = authoritiesOf(undefined);

  return (ca) => {
    if (ca !== inUse.ca) inUse = authoritiesOf(ca);
    const verifiedBy = inUse;
    return (socket) => {
      const shown = socket.getPeerX509Certificate();
      if (shown === undefined) return true;
      if (!socket.authorized) return false;
      let checked = { by: verifiedBy, isTrusted: true };
      const isTrusted = (): boolean => {
        if (checked.by !== inUse) checked = { by: inUse, isTrusted: isOf(inUse, shown) };
        return checked.isTrusted;
      };
      if (!isTrusted()) return false;
      certificates.set(socket, {
        names: namesOf(shown.raw),
        notAfter: Date.parse(shown.validTo),
        isTrusted,
      });
      return true;
    };
  };
};

interface Authorities {
  readonly ca: string | undefined;
  readonly certificates: readonly X509Certificate[];
  /** Fingerprints of the self-signed certificates. Each of them is trusted, also as the certificate of a client. */
  readonly roots: ReadonlySet<string>;
}

/** `ca` has been checked: a text without certificates does not get here. */
const authoritiesOf = (ca: string | undefined): Authorities => {
  const found = ca === undefined ? [] : certificatesIn(ca);
  const all = typeof found === "string" ? [] : found;
  const roots = all.filter(isSelfSigned).map((each) => each.fingerprint256);
  return { ca, certificates: all, roots: new Set(roots) };
};

/** Not by `checkIssued`, which also asks whether the certificate may issue others. */
const isSelfSigned = (each: X509Certificate): boolean =>
  each.subject === each.issuer && each.verify(each.publicKey);

/** Maximum number of intermediate certificates of a client that are looked at. */
const MAX_INTERMEDIATES = 16;

/**
 * Whether signatures lead from the certificate to a root of these CAs. Constraints of intermediate certificates are not checked
 * again. A link takes 0.13 ms of CPU (ECDSA P-256), so this is not done for all connections in the turn of a reload.
 */
const isOf = ({ certificates: trusted, roots }: Authorities, shown: X509Certificate): boolean => {
  const issuers = [...trusted, ...intermediatesOf(shown)];
  const now = Date.now();
  // The loop also visits what it adds.
  const reached = new Set([shown]);
  for (const certificate of reached) {
    if (roots.has(certificate.fingerprint256)) return true;
    for (const issuer of issuers)
      if (!reached.has(issuer) && isIssuer(issuer, certificate, now)) reached.add(issuer);
  }
  return false;
};

/** The certificates that the client has sent after its own. */
const intermediatesOf = (shown: X509Certificate): readonly X509Certificate[] => {
  const found: X509Certificate[] = [];
  for (let next = shown.issuerCertificate; next !== undefined; next = next.issuerCertificate)
    if (found.push(next) === MAX_INTERMEDIATES) break;
  return found;
};

const isIssuer = (issuer: X509Certificate, certificate: X509Certificate, now: number): boolean =>
  mayIssue(issuer) &&
  certificate.checkIssued(issuer) &&
  Date.parse(issuer.validFrom) <= now &&
  now < Date.parse(issuer.validTo) &&
  certificate.verify(issuer.publicKey);

/** 2.5.29.15 and 2.5.29.19 as bytes. */
const KEY_USAGE = Buffer.from([0x55, 0x1d, 0x0f]);
const BASIC_CONSTRAINTS = Buffer.from([0x55, 0x1d, 0x13]);

/**
 * As OpenSSL decides it. Without basic constraints, a root of version 1 and a certificate with a key usage may issue
 * certificates too. `checkIssued` checks the key usage itself.
 */
const mayIssue = (issuer: X509Certificate): boolean => {
  if (issuer.ca) return true;
  try {
    const { hasVersion, extensions } = fieldsOf(issuer.raw);
    const has = (id: Buffer): boolean => extensions.some((extension) => extension.id.equals(id));
    if (has(BASIC_CONSTRAINTS)) return false;
    return has(KEY_USAGE) || (!hasVersion && isSelfSigned(issuer));
  } catch (error) {
    if (error instanceof MalformedDer) return false;
    throw error;
  }
};

/** Client certificates of operators: the entry of `admin.certificates` that a verified certificate belongs to. */
import {
  type CertificatePattern,
  type ClientCertificate,
  createCertificateLookup,
  verifiedAgain,
} from "./certificates.ts";
import type { Operator, Role } from "./operators/operator.ts";
import type { OperatorSource } from "./operators/operators.ts";

export interface OperatorCertificate extends CertificatePattern {
  readonly role: Role;
}

/** The certificates of operators, for `renew`. */
const certificates = new WeakMap<Operator, ClientCertificate>();

/**
 * `admit` returns the operator of the first entry that matches. It throws UNAUTHORIZED if no entry matches, or if the certificate
 * has expired. Each certificate is looked up once. `now` is in milliseconds since the epoch.
 */
export const createOperatorCertificates = (
  entries: readonly OperatorCertificate[],
  now: () => number = Date.now,
): OperatorSource<ClientCertificate> => {
  const find = createCertificateLookup(entries, now);
  const admit = (certificate: ClientCertificate): Operator => {
    const { name, role } = find(certificate);
    const operator: Operator = { name, role, via: "certificate", expires: certificate.notAfter };
    certificates.set(operator, certificate);
    return operator;
  };
  return { admit, renew: (operator) => verifiedAgain(admit, certificates.get(operator)) };
};

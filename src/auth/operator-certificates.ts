/** Client certificates of operators: the entry of `admin.certificates` that a verified certificate belongs to. */
import { GatewayError } from "../errors.ts";
import { type CertificatePattern, type ClientCertificate, createCertificateLookup } from "./certificates.ts";
import type { Operator } from "./operators/operator.ts";
import type { OperatorSource } from "./operators/operators.ts";

export interface OperatorCertificate extends CertificatePattern {
  readonly role: "viewer" | "operator" | "admin";
}

/** Name and role of the first entry that matches. Throws UNAUTHORIZED if none does, or if the certificate has expired. */
export type FindOperatorCertificate = (
  certificate: ClientCertificate,
) => Pick<OperatorCertificate, "name" | "role">;

/** Looks up each certificate once. `now` is in milliseconds since the epoch. */
export const createOperatorCertificates = (
  entries: readonly OperatorCertificate[],
  now: () => number = Date.now,
): FindOperatorCertificate => createCertificateLookup(entries, now);

/** The certificates of operators, for `renew`. */
const certificates = new WeakMap<Operator, ClientCertificate>();

/** The certificates as credentials of operators. */
export const operatorCertificates = (find: FindOperatorCertificate): OperatorSource<ClientCertificate> => {
  const admit = (certificate: ClientCertificate): Operator => {
    const { name, role } = find(certificate);
    const operator: Operator = { name, role, via: "certificate", expires: certificate.notAfter };
    certificates.set(operator, certificate);
    return operator;
  };
  return {
    admit,
    renew: (operator) => {
      const certificate = certificates.get(operator);
      if (certificate === undefined) return undefined;
      try {
        return admit(certificate);
      } catch (error) {
        if (error instanceof GatewayError && error.code === "UNAUTHORIZED") return undefined;
        throw error;
      }
    },
  };
};

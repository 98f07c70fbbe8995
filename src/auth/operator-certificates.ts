/** Client certificates of operators: the entry of `admin.certificates` that a verified certificate belongs to. */
import { type CertificatePattern, type ClientCertificate, createCertificateLookup } from "./certificates.ts";

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

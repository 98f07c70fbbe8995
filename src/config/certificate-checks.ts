/** Rules and warnings about `auth.certificates` and `admin.certificates`. */
import { type Fault, repeated } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";

/** The entries of one list have distinct names. Limits, readers' groups and log lines of clients go by them. */
export const certificateFaults = ({ auth, admin }: Partial<Settings>): readonly Fault[] => [
  ...repeated(auth?.certificates.map(({ name }) => name) ?? [], (i) => ["auth", "certificates", i, "name"]),
  ...repeated(admin?.certificates.map(({ name }) => name) ?? [], (i) => ["admin", "certificates", i, "name"]),
];

const unused = (list: string, tls: string): string =>
  `${list} has entries, but ${tls}.clientAuth is none: no client can show a certificate`;

export const certificateWarnings = ({ auth, admin, server }: Settings): readonly string[] => [
  ...(auth.certificates.length > 0 && (server.tls?.clientAuth ?? "none") === "none"
    ? [unused("auth.certificates", "server.tls")]
    : []),
  ...(admin.certificates.length > 0 && (admin.tls?.clientAuth ?? "none") === "none"
    ? [unused("admin.certificates", "admin.tls")]
    : []),
];

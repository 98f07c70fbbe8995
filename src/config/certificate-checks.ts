/** Rules and warnings about `auth.certificates` and `admin.certificates`. */
import type { Fault } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";
import type { Path } from "./tree.ts";

const repeated = (names: readonly string[], section: Path): readonly Fault[] =>
  names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: [...section, index, "name"],
            text: `got ${JSON.stringify(name)} again, allowed: each name once`,
          },
        ],
  );

/** The entries of one list have distinct names. Limits, readers' groups and log lines of clients go by them. */
export const certificateFaults = ({ auth, admin }: Partial<Settings>): readonly Fault[] => [
  ...repeated(auth?.certificates.map(({ name }) => name) ?? [], ["auth", "certificates"]),
  ...repeated(admin?.certificates.map(({ name }) => name) ?? [], ["admin", "certificates"]),
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

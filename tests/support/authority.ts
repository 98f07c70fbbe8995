/** A certificate authority for tests of TLS. openssl creates it at run time in a folder of its own. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Identity {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Wanted {
  /** The subject as openssl writes it. */
  readonly subject?: string;
  /** Names as `DNS:localhost`. A name may contain commas. */
  readonly names?: readonly string[];
  readonly usage?: "serverAuth" | "clientAuth";
  /** Milliseconds from now. */
  readonly from?: number;
  readonly until?: number;
}

/** Itself the identity of the CA. */
export interface Authority extends Identity, AsyncDisposable {
  issue(wanted: Wanted): Promise<Identity>;
  /** A certificate for 127.0.0.1 and localhost. */
  server(wanted?: Wanted): Promise<Identity>;
  /** A certificate of a client with this common name. */
  client(name: string, wanted?: Wanted): Promise<Identity>;
  /** A CA whose certificate this one has issued. Its identities contain only their own certificate. */
  intermediate(name: string): Promise<Authority>;
}

const HOUR = 3_600_000;

/** `openssl ca` replaces its database, so concurrent calls need their own. */
const configWith = (database: string): string => `
[ca]
default_ca = own
[own]
database = ${database}
new_certs_dir = .
rand_serial = yes
default_md = sha256
unique_subject = no
preserve = yes
policy = any
[any]
commonName = optional
organizationName = optional
[req]
distinguished_name = subject
[subject]
`;

const newKey = (name: string): readonly string[] => [
  ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
  ...["-keyout", `${name}.key`],
];

/** As openssl writes a time: 20270131120000Z. */
const timeAt = (ms: number): string =>
  `${new Date(Date.now() + ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;

/** A section of openssl's configuration keeps a comma in a value. */
const extensionsOf = ({ names = [], usage }: Wanted): string =>
  [
    "basicConstraints = critical,CA:false",
    ...(usage === undefined ? [] : [`extendedKeyUsage = ${usage}`]),
    ...(names.length === 0 ? [] : ["subjectAltName = @names", "[names]"]),
    ...names.map((name, i) => name.replace(":", `.${i} = `)),
    "",
  ].join("\n");

const IS_CA = ["basicConstraints=critical,CA:true"];

/** `extensions` of the CA's own certificate. Without any it has version 1. */
export const createAuthority = (name = "test authority", extensions = IS_CA): Promise<Authority> =>
  openAuthority(name, extensions);

interface Signer {
  readonly folder: string;
}

const openAuthority = async (
  name: string,
  extensions: readonly string[],
  signer?: Signer,
): Promise<Authority> => {
  const folder = await mkdtemp(path.join(tmpdir(), "stationgate-ca-"));
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd: folder });
  const read = (file: string): Promise<string> => readFile(path.join(folder, file), "utf8");
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(folder, file), text);
  await write("ca.cnf", configWith("unused"));
  const isCa = ["-subj", `/CN=${name}`, ...extensions.flatMap((extension) => ["-addext", extension])];
  const made = ["req", "-x509", ...newKey("ca"), "-out", "ca.crt", "-days", "2", "-config", "ca.cnf"];
  const by = signer && ["-CA", `${signer.folder}/ca.crt`, "-CAkey", `${signer.folder}/ca.key`];
  await openssl(...made, ...isCa, ...(by ?? []));
  let count = 0;

  const issue = async (wanted: Wanted): Promise<Identity> => {
    const own = `issued-${++count}`;
    await write(`${own}.ext`, extensionsOf(wanted));
    await write(`${own}.cnf`, configWith(`${own}.db`));
    await write(`${own}.db`, "");
    const subject = ["-utf8", "-subj", wanted.subject ?? "/"];
    await openssl("req", "-new", ...newKey(own), "-out", `${own}.csr`, "-config", "ca.cnf", ...subject);
    const files = ["-in", `${own}.csr`, "-out", `${own}.crt`, "-notext", "-extfile", `${own}.ext`];
    const times = [
      ...["-startdate", timeAt(wanted.from ?? -HOUR)],
      ...["-enddate", timeAt(wanted.until ?? 24 * HOUR)],
    ];
    const signer = ["-config", `${own}.cnf`, "-cert", "ca.crt", "-keyfile", "ca.key"];
    await openssl("ca", "-batch", "-utf8", ...signer, ...files, ...times);
    return { cert: await read(`${own}.crt`), key: await read(`${own}.key`) };
  };
  return {
    cert: await read("ca.crt"),
    key: await read("ca.key"),
    issue,
    server: (wanted) =>
      issue({
        subject: "/CN=localhost",
        names: ["IP:127.0.0.1", "DNS:localhost"],
        usage: "serverAuth",
        ...wanted,
      }),
    intermediate: (lower) => openAuthority(lower, IS_CA, { folder }),
    client: (client, wanted) => issue({ subject: `/CN=${client}`, usage: "clientAuth", ...wanted }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
};

/** A temporary certificate authority for tests of TLS, created with openssl. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Identity {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Certificates {
  /** PEM of the authority that signed both certificates. */
  readonly ca: string;
  /** Valid for 127.0.0.1 and localhost. */
  readonly server: Identity;
  readonly client: Identity;
}

const newKey = (name: string): string[] => ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`];

/** Creates the authority and its certificates as files in `folder`. */
export const makeCertificates = async (folder: string): Promise<Certificates> => {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const sign = async (name: string, subject: string): Promise<Identity> => {
    await openssl("req", ...newKey(name), "-out", `${name}.csr`, "-subj", `/CN=${subject}`);
    const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san.cnf"];
    await openssl("x509", "-req", "-in", `${name}.csr`, ...authority, "-days", "2", "-out", `${name}.crt`);
    return { cert: await read(`${name}.crt`), key: await read(`${name}.key`) };
  };
  await writeFile(join(folder, "san.cnf"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  await openssl(
    "req",
    "-x509",
    ...newKey("ca"),
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
  );
  const server = await sign("server", "localhost");
  const client = await sign("client", "stationgate");
  return { ca: await read("ca.crt"), server, client };
};

/** A self-signed certificate for the benchmark's gateway, made by openssl at run time. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The `tls` settings of a listener. The files are in `folder`. */
export const makeCertificate = async (
  folder: string,
): Promise<{ readonly cert: string; readonly key: string }> => {
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", files.key];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", ...key, "-out", files.cert, "-days", "2", ...subject]);
  return files;
};

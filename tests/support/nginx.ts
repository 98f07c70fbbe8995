/** nginx with the shipped configuration, in front of the gateways of a test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

export interface Nginx {
  readonly url: string;
  /** The text of the error log. */
  errors(): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });

/** The shipped configuration with these gateways (host:port) and this folder. */
const configurationFor = async (
  gateways: readonly string[],
  port: number,
  { folder, certificates }: { readonly folder: string; readonly certificates: string | undefined },
): Promise<string> => {
  const shipped = await readFile(
    certificates === undefined ? "deploy/nginx.conf" : "deploy/nginx-tls.conf",
    "utf8",
  );
  const [first = ""] = /^ *server gateway-1:4444.*\n/m.exec(shipped) ?? [];
  const servers = gateways.map((address) => first.replace("gateway-1:4444", address)).join("");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(" ");
  return shipped
    .replace(/^ *server gateway-1:4444.*\n/m, servers)
    .replace(/^ *server gateway-2:4444.*\n/m, "")
    .replace("listen 4444", `listen 127.0.0.1:${port}`)
    .replaceAll("/etc/stationgate/tls", certificates ?? "")
    .replace("/tmp/nginx.pid", `${folder}/nginx.pid`)
    .replace("http {", `http {\n  ${temporary}`);
};

/** `certificates`: the folder with `tls.crt` and `tls.key`; then nginx speaks TLS, with the gateways too. */
export const startNginx = async (gateways: readonly string[], certificates?: string): Promise<Nginx> => {
  const folder = await mkdtemp(path.join(tmpdir(), "stationgate-nginx-"));
  const port = await freePort();
  const file = path.join(folder, "nginx.conf");
  const log = path.join(folder, "error.log");
  await writeFile(file, await configurationFor(gateways, port, { folder, certificates }));
  const child = spawn("nginx", ["-p", folder, "-c", file, "-e", log, "-g", "daemon off;"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`nginx doesn't start:\n${await readFile(log, "utf8")}`);
    await sleep(20);
  }
  return {
    url: certificates === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    errors: () => readFile(log, "utf8"),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGQUIT");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
};

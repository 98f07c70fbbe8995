/** nginx in front of a gateway, without buffering of requests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "./free-port.ts";

export interface Nginx {
  readonly url: string;
  stop(): Promise<void>;
}

const configuration = (folder: string, port: number, upstream: string): string => `
daemon off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      client_max_body_size 0;
    }
  }
}
`;

/** Resolves when nginx answers. A header of the gateway turns off the buffering of answers, not this configuration. */
export const startNginx = async (upstream: string): Promise<Nginx> => {
  const folder = await mkdtemp(path.join(tmpdir(), "stationgate-nginx-"));
  const port = await freePort();
  const file = path.join(folder, "nginx.conf");
  await writeFile(file, configuration(folder, port, upstream));
  const child = spawn("nginx", ["-p", folder, "-c", file], { stdio: "ignore" });
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  while (child.exitCode === null && !(await answers(url)))
    await new Promise((resolve) => setImmediate(resolve));
  if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
  return {
    url,
    stop: async () => {
      child.kill("SIGQUIT");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/healthz`).then(
    (answer) => answer.ok,
    () => false,
  );

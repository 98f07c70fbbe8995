/**
 * Health check of the image: `node healthcheck.mjs [path]` exits with 0 if the public listener answers 200.
 *
 * If only the settings file knows of TLS, the first attempt uses plain HTTP, and the gateway counts it as a failed handshake.
 */
import { get as getPlain } from "node:http";
import { get as getTls } from "node:https";

const { STATIONGATE_SERVER_PORT: port, STATIONGATE_SERVER_TLS_CERT: cert } = process.env;
const path = process.argv[2] ?? "/healthz";

// The certificate need not name 127.0.0.1. The request has no credential.
const options = { host: "127.0.0.1", port: port || 4444, path, rejectUnauthorized: false };

const statusBy = (get) =>
  new Promise((resolve, reject) => {
    get(options, (answer) => resolve(answer.statusCode)).on("error", reject);
  });

const status = cert ? statusBy(getTls) : statusBy(getPlain).catch(() => statusBy(getTls));
process.exit((await status.catch(() => undefined)) === 200 ? 0 : 1);

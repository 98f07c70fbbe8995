/**
 * Preloaded into a gateway with `--import`: connections to a port of `REDIRECTED_PORTS` (JSON, port → port) go to another port
 * of this machine, where a proxy of the test can cut them. The peer port has one address for listening and for its clients, so
 * the settings alone cannot put a proxy in between.
 */
import { Socket } from "node:net";

const ports = JSON.parse(process.env["REDIRECTED_PORTS"] ?? "{}");
const connect = Socket.prototype.connect;

/** node passes the arguments of `net.connect` on as one list. */
Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (typeof options === "object" && options !== null && String(options.port) in ports)
    options.port = ports[String(options.port)];
  return connect.apply(this, given);
};

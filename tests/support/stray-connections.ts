/**
 * A server in a test that closes cuts its remaining connections after 5 s. A process of another test may still connect to the
 * port that it knew, a browser for example, and then sends nothing. Node's `close` waits for such a connection, and with it
 * supertest, which closes the server of each request.
 */
import { Server } from "node:http";

const CUT_MS = 5000;
/** The prototype belongs to all test files of a worker. */
const CUTS = Symbol.for("stationgate tests: servers cut stray connections");

const prototype = Server.prototype as Server & { [CUTS]?: true };

if (prototype[CUTS] !== true) {
  prototype[CUTS] = true;
  const close = Object.getOwnPropertyDescriptor(Server.prototype, "close")?.value as Server["close"];
  prototype.close = function (this: Server, ...given) {
    setTimeout(() => {
      this.closeAllConnections();
    }, CUT_MS).unref();
    return close.apply(this, given);
  };
}

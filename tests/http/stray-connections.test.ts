/** The guard of the tests against connections of other processes (`tests/support/stray-connections.ts`). */
import { createServer } from "node:http";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";

it("does not make a server of a test wait for a connection that sends nothing", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const stray = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const ended = once(stray, "close");
  stray.on("error", () => undefined);
  await once(server, "connection");
  const closed = new Promise((resolve) => server.close(resolve));
  await expect(closed).resolves.toBeUndefined();
  await ended;
}, 30_000);

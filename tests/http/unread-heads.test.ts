import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { limitUnreadHeads } from "../../src/http/unread-heads.ts";
import { openRaw, type RawConnection } from "./raw.ts";

const BEGINNING = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ";
const WHOLE = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

let server: Server;
let port: number;

beforeEach(async () => {
  let connections = 0;
  server = createServer((_, response) => response.end("served"));
  server.on("connection", (socket) => {
    connections += 1;
    socket.once("close", () => (connections -= 1));
  });
  limitUnreadHeads(server, { maxBytes: () => 3 * 4096, maxHeaderSize: 4096, connections: () => connections });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const open = async (text: string): Promise<RawConnection> => {
  const connection = await openRaw(port);
  connection.socket.write(text);
  return connection;
};

/** One after the other, so that their heads begin in this order. */
const openEach = async (count: number): Promise<readonly RawConnection[]> => {
  const opened: RawConnection[] = [];
  for (let n = 0; n < count; n++) {
    const accepted = new Promise((resolve) =>
      server.once("connection", (socket) => socket.once("data", resolve)),
    );
    opened.push(await open(BEGINNING));
    await accepted;
  }
  return opened;
};

it("answers and closes the connections whose partial heads began first", async () => {
  const opened = await openEach(5);
  for (const connection of opened.slice(0, 2)) expect(await connection.closed()).toContain("HTTP/1.1 503");
  for (const { socket, until } of opened.slice(2)) {
    socket.write("a\r\n\r\n");
    expect(await until("served")).toContain("HTTP/1.1 200");
  }
});

it("does not count idle connections, and counts the partial head of a later request", async () => {
  const idle = await Promise.all([open(WHOLE), open(WHOLE), open(WHOLE), open(WHOLE)]);
  for (const { until } of idle) await until("served");
  const next = idle[0];
  next.socket.write(BEGINNING);
  await openEach(3);
  expect(await next.closed()).toContain("HTTP/1.1 503");
  for (const { socket, received } of idle.slice(1)) {
    const before = received().length;
    socket.write(WHOLE);
    await new Promise((resolve) => socket.once("data", resolve));
    expect(received().slice(before)).toContain("served");
  }
});

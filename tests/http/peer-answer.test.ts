import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Response } from "express";
import { wasSent } from "../../src/http/peer-answer.ts";

const LARGE = Buffer.alloc(24 * 1024 * 1024, "x");

let server: Server;
let sent: Promise<boolean>;
let answer: (body: Buffer) => void;

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    sent = wasSent(response as Response);
    answer = (body) => response.end(body);
    server.emit("asked");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const ask = async (head = ""): Promise<Socket> => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  const asked = once(server, "asked");
  socket.write(`GET / HTTP/1.1\r\nHost: h\r\n${head}\r\n`);
  await asked;
  return socket;
};

it.each(["", "Connection: close\r\n"])(
  "an answer is sent if the client reads all of it (%j)",
  async (head) => {
    const socket = await ask(head);
    answer(LARGE);
    socket.resume();
    expect(await sent).toBe(true);
    socket.destroy();
  },
);

it("an answer is sent if the connection stays open for the next request", async () => {
  const socket = await ask();
  answer(Buffer.from("small"));
  expect(await sent).toBe(true);
  const asked = once(server, "asked");
  socket.resume().write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  await asked;
  answer(Buffer.from("again"));
  expect(await sent).toBe(true);
  socket.destroy();
});

it.each<[string, (socket: Socket) => void]>([
  ["resets the connection", (socket) => socket.resetAndDestroy()],
  ["closes the connection", (socket) => socket.destroy()],
])("an answer is not sent if the client %s before its end", async (_what, leave) => {
  const socket = await ask();
  answer(LARGE);
  socket.once("data", () => {
    leave(socket);
  });
  socket.resume();
  expect(await sent).toBe(false);
});

it("an answer is not sent if the client resets the connection before it begins", async () => {
  const socket = await ask();
  socket.resetAndDestroy();
  expect(await sent).toBe(false);
  answer(LARGE);
});

it("an answer is not sent if the gateway closes the connection before its end", async () => {
  const socket = await ask();
  answer(LARGE);
  await once(socket, "readable");
  server.closeAllConnections();
  expect(await sent).toBe(false);
});

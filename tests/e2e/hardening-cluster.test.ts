/** The shutdown of the real program with slow clients and frozen workers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { linesOf } from "../support/log-lines.ts";

const TIMEOUT = 60_000;
/** There is no listener. The workers serve requests that need no Kafka. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };
const GRACE_MS = 5000;

const server = (more: object) => ({ host: "127.0.0.1", port: 0, shutdownGrace: `${GRACE_MS}ms`, ...more });

const workersOf = (gateway: Gateway): readonly number[] =>
  linesOf(gateway, "worker started").map(({ pid }) => Number(pid));

/** Sends a request with an incomplete body. Resolves once the gateway has read its head. */
const slowBody = async (url: string, path: string): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: x",
    `Authorization: Bearer ${ADMIN_TOKEN}`,
    "Content-Type: application/json",
    "Content-Length: 10",
    "Expect: 100-continue",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  await once(socket, "data");
  socket.write("{");
  return socket;
};

const closed = async (socket: Socket, since: number): Promise<number> => {
  await once(socket.resume(), "close");
  return performance.now() - since;
};

describe("a shutdown", () => {
  it.each([
    ["one process", { broker: { type: "embedded", embedded: { dir: "./data" } }, server: server({}) }],
    ["two workers", { broker: NO_KAFKA, server: server({ workers: 2 }) }],
  ])(
    "with a slow body on each listener ends well within the grace period (%s)",
    async (_what, settings) => {
      await using gateway = await startGateway({ settings });
      const slow = await Promise.all([
        slowBody(gateway.url, "/auth/authenticate"),
        slowBody(gateway.adminUrl, "/connectors"),
      ]);
      const begin = performance.now();
      const ends = slow.map((socket) => closed(socket, begin));

      expect(await gateway.stop()).toBe(0);

      expect(Math.max(...(await Promise.all(ends)))).toBeLessThan(GRACE_MS * 0.9);
      expect(gateway.output()).not.toContain("server.shutdownGrace is over");
    },
    TIMEOUT,
  );

  it(
    "with a frozen worker ends within the grace period",
    async () => {
      await using gateway = await startGateway({
        settings: { broker: NO_KAFKA, server: server({ workers: 2 }) },
      });
      process.kill(workersOf(gateway)[1] ?? 0, "SIGSTOP");
      const begin = performance.now();

      expect(await gateway.stop()).toBe(0);

      expect(performance.now() - begin).toBeLessThan(GRACE_MS);
    },
    TIMEOUT,
  );
});

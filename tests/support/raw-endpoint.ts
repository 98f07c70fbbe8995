/** An endpoint on loopback that writes the bytes of its answers as the test gives them, and can break connections. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

export interface RawRequest {
  /** Indexes from 0: of the request among all requests, and among the requests of its connection. */
  readonly index: number;
  readonly onConnection: number;
  readonly text: string;
}

export interface RawEndpoint {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RawRequest[];
  readonly connections: number;
  close(): Promise<void>;
}

export const HTTP_DONE = 'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"retry":false}';

/** The end offset of the first request in the text; undefined: the request is incomplete. */
const requestEnd = (text: string): number | undefined => {
  const head = text.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const [, length = "0"] = /^content-length: (\d+)/im.exec(text.slice(0, head)) ?? [];
  const end = head + 4 + Number(length);
  return text.length < end ? undefined : end;
};

/** Calls `answer` when a request has been read. */
export const startRawEndpoint = async (
  answer: (socket: Socket, request: RawRequest) => void,
): Promise<RawEndpoint> => {
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let unread = "";
    let onConnection = 0;
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      unread += chunk.toString("latin1");
      for (let end = requestEnd(unread); end !== undefined; end = requestEnd(unread)) {
        const request = { index: requests.length, onConnection, text: unread.slice(0, end) };
        unread = unread.slice(end);
        onConnection += 1;
        requests.push(request);
        answer(socket, request);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return connections;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
};

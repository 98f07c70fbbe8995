/** A TCP proxy for faults: it cuts and refuses connections, and drops answers of the server. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** host:port for clients. */
  readonly address: string;
  /** Sets the target of new connections. Before the first call they are refused. */
  forwardTo(address: string): void;
  /** Closes every connection; new ones are refused until the next `forwardTo`. */
  refuse(): void;
  /** Keeps all connections open, and passes no byte on until the next `refuse`: the network is cut. */
  silence(): void;
  /** Drops the next bytes of a server, and cuts all connections then. Resolves after the cut. */
  cutAtNextAnswer(): Promise<void>;
  /** Number of open connections to the server. */
  connections(): number;
  stop(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export const startTcpProxy = async (): Promise<TcpProxy> => {
  const pairs = new Set<Pair>();
  /** Connections that were opened in silence. */
  const silenced = new Set<Socket>();
  let target: { host: string; port: number } | undefined;
  let cutDone: (() => void) | undefined;
  let isSilent = false;

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    pairs.clear();
    for (const client of silenced) client.destroy();
    silenced.clear();
  };

  const listener = createServer((client) => {
    if (target === undefined) {
      client.destroy();
      return;
    }
    if (isSilent) {
      client.pause();
      silenced.add(client.on("error", () => undefined));
      return;
    }
    const server = connect(target);
    const pair = { client, server };
    pairs.add(pair);
    const end = (): void => {
      client.destroy();
      server.destroy();
      pairs.delete(pair);
    };
    client.on("error", end).on("close", end);
    server.on("error", end).on("close", end);
    client.pipe(server);
    server.on("data", (bytes) => {
      if (isSilent) return;
      if (cutDone === undefined) {
        client.write(bytes);
        return;
      }
      cutDone();
      cutDone = undefined;
      cut();
    });
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;

  return {
    port,
    address: `127.0.0.1:${port}`,
    forwardTo: (address) => {
      const [host = "", to] = address.split(":");
      target = { host, port: Number(to) };
    },
    refuse: () => {
      target = undefined;
      isSilent = false;
      cut();
    },
    silence: () => {
      isSilent = true;
      for (const { client, server } of pairs) client.unpipe(server).resume();
    },
    connections: () => pairs.size,
    cutAtNextAnswer: () =>
      new Promise((resolve) => {
        cutDone = resolve;
      }),
    stop: async () => {
      target = undefined;
      cut();
      listener.close();
      await once(listener, "close");
    },
  };
};

/** A gateway behind a real HTTP listener on a free port. */
import { createHttpServer, type HttpServer, type ServerLimits } from "../../src/http/server.ts";
import type { PemFiles } from "../../src/http/tls/secure-context.ts";
import { createTestGateway, type TestGateway, type TestOptions } from "./support.ts";

export const LIMITS: ServerLimits = {
  keepAliveTimeout: 75_000,
  headersTimeout: 20_000,
  maxHeaderSize: 16 * 1024,
  maxConnections: 0,
  backlog: 128,
};

export interface TestListener {
  readonly gateway: TestGateway;
  readonly server: HttpServer;
  readonly port: number;
  /** Reasons of failed TLS handshakes. */
  readonly failures: readonly string[];
  /** An access token of the gateway's test account. */
  readonly token: string;
  /** Cuts all connections and closes the gateway. */
  close(): Promise<void>;
}

interface ListenerOptions {
  readonly pem?: PemFiles;
  /** Default: as in the program. */
  readonly fastPath?: boolean;
}

export const openListener = async (
  options: TestOptions = {},
  limits: Partial<ServerLimits> = {},
  { pem, fastPath }: ListenerOptions = {},
): Promise<TestListener> => {
  const gateway = await createTestGateway(options);
  const failures: string[] = [];
  const tls = pem && { pem, onFailure: (reason: string) => void failures.push(reason) };
  const server = createHttpServer(gateway.app, { ...LIMITS, ...limits }, gateway.memory, {
    tls,
    ...(fastPath === undefined ? undefined : { fastPath }),
  });
  const { port } = await server.listen(0, "127.0.0.1");
  return {
    gateway,
    server,
    port,
    failures,
    token: await gateway.token(),
    close: async () => {
      await server.drain({ graceMs: 1, idleMs: 1 });
      await gateway.home.close();
    },
  };
};

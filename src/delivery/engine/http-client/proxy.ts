/**
 * Requests through an HTTP proxy (RFC 9110, section 9.3.6; RFC 9112, section 3.2.2): for http the proxy gets the request in absolute
 * form, for https a CONNECT, and TLS is with the target. The proxy resolves the target's name, so only a literal address of the target
 * can be checked. The proxy itself is a target like any other.
 */
import { Socket } from "node:net";
import { Client, type buildConnector } from "undici";
import { targetRefused, type Targets } from "../targets.ts";
import type { Proxy } from "../transport.ts";

interface ProxyParts {
  readonly proxy: Proxy;
  readonly targets: Targets;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly toProxy: buildConnector.connector;
  /** Begins TLS on a socket that leads to the target. */
  readonly overSocket: buildConnector.connector;
}

const credentials = ({ authorization }: Proxy): string[] =>
  authorization === undefined ? [] : ["Proxy-Authorization", authorization];

const hasHost = (headers: readonly string[]): boolean =>
  headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "host");

/** For an http target: the client connects to the proxy and sends requests in absolute form. */
export const throughProxy = ({ proxy, targets, toProxy }: ProxyParts, origin: string) => {
  const { host, hostname } = new URL(origin);
  const connect: buildConnector.connector = (wanted, callback) => {
    if (targets.refusalOf(hostname) === undefined) toProxy(wanted, callback);
    else callback(targetRefused(hostname), null);
  };
  const target = (path: string, headers: string[]) => ({
    path: `${origin}${path}`,
    // Without it, undici names the proxy.
    headers: [...headers, ...(hasHost(headers) ? [] : ["Host", host]), ...credentials(proxy)],
  });
  return { connect, target };
};

/** For an https target: a connection that the proxy passes on. */
export const tunnel =
  (parts: ProxyParts): buildConnector.connector =>
  (wanted, callback) => {
    const { targets, overSocket } = parts;
    const { hostname, port } = wanted;
    if (targets.refusalOf(hostname) !== undefined) {
      callback(targetRefused(hostname), null);
      return;
    }
    connectThrough(parts, `${hostname}:${port === "" ? "443" : port}`).then(
      (httpSocket) => {
        overSocket({ ...wanted, httpSocket }, callback);
      },
      (error: unknown) => {
        callback(error as Error, null);
      },
    );
  };

/** Rejects if the proxy can't be reached or refuses. */
const connectThrough = async (
  { proxy, connectTimeoutMs, toProxy }: ProxyParts,
  authority: string,
): Promise<Socket> => {
  const client = new Client(proxy.origin, { connect: toProxy, headersTimeout: connectTimeoutMs });
  try {
    const { statusCode, socket } = await client.connect({
      path: authority,
      headers: ["Host", authority, ...credentials(proxy)],
    });
    if (statusCode === 200 && socket instanceof Socket) return socket;
    socket.destroy();
    throw new RangeError(`The proxy answered CONNECT with HTTP status ${statusCode}`);
  } finally {
    // The socket no longer belongs to the client.
    void client.close();
  }
};

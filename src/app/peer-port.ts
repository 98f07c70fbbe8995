/**
 * The peer port of this process, at which the other gateways on this Kafka call its homes. All homes share it. It outlives a
 * reload.
 */
import { isIPv6 } from "node:net";
import type { Settings } from "../config/schema/schema.ts";
import { asGatewayError } from "../errors.ts";
import { createKeyRing } from "../home/peers/key-ring.ts";
import { createPeerServer, type PeerServer } from "../home/peers/peer-server.ts";
import { peerKeys } from "../home/peers/signature.ts";
import { pause } from "../lib/clock.ts";
import { MAX_PART_BYTES } from "../once/call-parts.ts";
import type { AppContext, AppLog } from "./context.ts";
import { createFaultLog } from "./fault-log.ts";
import { listenFault } from "./start-faults.ts";

export type PeerPortContext = Pick<AppContext, "settings" | "broker" | "clock" | "lifecycle"> & {
  readonly log: Pick<AppLog, "logger">;
};

export interface PeerPort extends Pick<PeerServer, "serve"> {
  /** `host:port`; empty: it is not open. */
  readonly address: string;
  /** As in `KeyRing`, for the requests to other processes. */
  readonly keys: () => readonly Buffer[];
  /** Takes the secrets of these settings into use. */
  use(settings: Settings): void;
  /** Opens the port if `reading.peer.host` names its address. Rejects with SETTINGS_INVALID if that is not possible. */
  openAtHost(): Promise<void>;
  /** Opens the port, and tries again until it is open or the signal is aborted. Does nothing on the embedded log. */
  open(signal: AbortSignal): Promise<void>;
}

/** Milliseconds until the peer port is opened again after a fault. */
const AGAIN_MS = 1000;

/** The embedded log belongs to one process. */
export const hasPeers = ({ broker }: Pick<PeerPortContext, "broker">): boolean => broker.kind !== "embedded";

/** True if the settings have a secret for the requests between processes. */
export const hasPeerKeys = (settings: Settings): boolean => peerKeys(secretsOf(settings)).length > 0;

/** The key of a browser is public, so it is no secret. */
const secretsOf = ({ auth, reading }: Settings): Parameters<typeof peerKeys>[0] => ({
  secret: reading.peer.secret,
  tokenSecrets: auth.accessToken.secrets.map(({ secret }) => secret),
  apiKeys: auth.apiKeys.filter(({ kind }) => kind === "server").map(({ key }) => key),
});

/**
 * A reader's call is JSON again, and its texts may need an escape for each character. A call with ids has a part of at most
 * 1 MiB, or one event.
 */
const maxBodyBytesOf = ({ server, limits }: Settings): number =>
  2 * Math.max(server.bodyLimit, limits.recordSize ?? 0) + limits.recordHeaderSize + MAX_PART_BYTES;

/** Creates the port, which is closed after the homes: they must be opened later than it. */
export const createPeerPort = (context: PeerPortContext): PeerPort => {
  const { settings, broker, clock, log, lifecycle } = context;
  const { reading, server: listener } = settings;
  let maxBodyBytes = maxBodyBytesOf(settings);
  const { host: given, port: wanted } = reading.peer;
  const ring = createKeyRing(clock);
  ring.use(secretsOf(settings));
  let address = "";
  let binding: Promise<void> | undefined;
  const server = createPeerServer({
    ...{ keys: ring.keys, clock },
    get maxBodyBytes() {
      return maxBodyBytes;
    },
    maxConnections: listener.maxConnections === 0 ? Infinity : listener.maxConnections,
    answerTimeoutMs: reading.answerTimeout,
  });
  const onFault = createFaultLog(log.logger, clock, "the peer port can't be opened; the gateway tries again");

  const bind = async (): Promise<void> => {
    const host = given ?? (await broker.localAddress());
    const port = await server.listen(host, wanted).catch((error: unknown) => {
      throw listenFault(error, "reading.peer", { host, port: wanted });
    });
    address = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
    log.logger.info({ listener: "peer", host, port }, "listening");
  };
  /** Homes that open the port at the same time share an attempt. */
  const bindOnce = (): Promise<void> =>
    (binding ??= bind().finally(() => {
      binding = undefined;
    }));

  lifecycle.onClose("peer port", () => server.close());
  return {
    serve: (home, name) => {
      server.serve(home, name);
    },
    get address() {
      return address;
    },
    keys: ring.keys,
    use: (used) => {
      ring.use(secretsOf(used));
      maxBodyBytes = maxBodyBytesOf(used);
    },
    openAtHost: async () => {
      if (given !== undefined && address === "" && hasPeers(context)) await bindOnce();
    },
    open: async (signal) => {
      while (hasPeers(context) && address === "" && !signal.aborted) {
        try {
          await bindOnce();
        } catch (error) {
          onFault(asGatewayError(error));
          await pause(clock, AGAIN_MS, signal);
        }
      }
    },
  };
};

/**
 * The connections to one other process. Each connection carries one call at a time. While calls or answers are under way,
 * this process sends signs of life on a separate connection. They tell the other process that this process still writes the
 * answers to the clients. Their responses tell this process that the other process can still be reached.
 */
import { Client, type Dispatcher } from "undici";
import type { Clock } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { ERRORS, GatewayError } from "../../errors.ts";
import { ANSWER_HEADER, type AnswerHead, type NoAnswer, type Peer, type PeerAnswer } from "./peers.ts";
import { hashOf, SIGNATURE_HEADER, signed } from "./signature.ts";

export interface LinkOptions {
  readonly peer: Peer;
  /** The path of the home, as `homePath` gives it. */
  readonly path: string;
  /** The present ones, from `peerKeys`; not empty. */
  readonly keys: () => readonly Buffer[];
  readonly clock: Clock;
  /** Holds the bodies of answers. */
  readonly memory: MemoryBudget;
  /** Called when the link closes: it was unused for `IDLE_MS`, the peer did not answer for `CUT_MS`, or `close` was called. */
  readonly onIdle: () => void;
}

export interface Reply {
  readonly status: number;
  /** The value of `ANSWER_HEADER`. */
  readonly head: string;
  /** The memory for it is taken; the caller gives it back. */
  readonly body: Buffer;
}

/** A call under way, or an answer whose end is not yet reported. */
export interface UnderWay {
  /** The answer's id, set once the answer has arrived. */
  answer?: string;
  /** The other process can't be reached. */
  readonly onCut: () => void;
}

export interface Link {
  take(): Client;
  /** The connection is free for another call. */
  release(connection: Client): void;
  /** Breaks the connection. */
  drop(connection: Client): void;
  /** Rejects with undici's error, with the signal's reason, or with `NoMemory`. */
  post(connection: Client, path: string, body: Buffer, signal: AbortSignal): Promise<Reply>;
  /**
   * Passes the body of the answer on bit by bit; the caller bounds what it keeps of it. Resolves to the status when the answer
   * has ended. Rejects with undici's error, also when the connection is dropped, or with the error of `onChunk`.
   */
  stream(connection: Client, path: string, body: Buffer, onChunk: (chunk: Buffer) => void): Promise<number>;
  begin(call: UnderWay): void;
  end(call: UnderWay): void;
  close(): void;
}

/** The memory budget has no room for the answer. */
export class NoMemory extends Error {}

/** The process has another id, or other keys. */
export const FORBIDDEN_STATUS = 403;

/** undici's error codes that say that no connection was made. */
const UNSENT = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What the error of a request says. `isCut`: the other process does not answer signs of life. */
export const noAnswerOf = (error: unknown, isCut: boolean): NoAnswer => {
  if (isCut) return "silent";
  return UNSENT.has((error as NodeJS.ErrnoException).code ?? "") ? "unsent" : "broken";
};

/** The error of the service in the other process. */
export const errorOf = ({ error, retryAfter }: Extract<AnswerHead, { error: unknown }>): GatewayError =>
  new GatewayError(error.code in ERRORS ? error.code : "INTERNAL", {
    message: error.message,
    ...(retryAfter === undefined ? undefined : { retryAfter }),
  });

/** An answer whose end is not reported. The memory for its body is given back when it has ended. */
export const withoutReport = (
  { status, headers }: Pick<PeerAnswer, "status" | "headers">,
  body: Buffer,
  memory: MemoryBudget,
): PeerAnswer => {
  let isOpen = true;
  const ended = (): void => {
    if (isOpen) memory.give(body.length);
    isOpen = false;
  };
  return { status, headers, body, ended };
};

/** Milliseconds between two signs of life. */
const ALIVE_MS = 1000;
/** Milliseconds without an answer to a sign of life after which all calls to the process fail. */
const CUT_MS = 5000;
/** Maximum number of answers' ids in one sign of life. */
const ANSWERS_AT_ONCE = 1000;
/** Milliseconds until an unused link is closed. */
const IDLE_MS = 60_000;
/** Maximum number of free connections. */
const MAX_FREE = 64;

export const createLink = (options: LinkOptions): Link => {
  const { peer, path, clock, onIdle } = options;
  const all = new Set<Client>();
  const free: Client[] = [];
  const underWay = new Set<UnderWay>();

  const open = (): Client => {
    const connection = new Client(`http://${peer.address}`, {
      pipelining: 1,
      connectTimeout: CUT_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      // If undici closed a connection, the other process would assume that the client did not get the whole answer.
      keepAliveTimeout: 2 * IDLE_MS,
      keepAliveMaxTimeout: 2 * IDLE_MS,
    });
    all.add(connection);
    return connection;
  };
  const drop = (connection: Client): void => {
    all.delete(connection);
    void connection.destroy();
  };
  const close = (): void => {
    pulse.stop();
    for (const connection of all) drop(connection);
    onIdle();
  };
  const sign = createSign(options);
  const post = createPost(sign, options.memory);
  const pulse = createPulse({
    clock,
    underWay,
    close,
    beat: createBeat({ connection: open(), path, post, underWay }),
  });

  return {
    take: () => free.pop() ?? open(),
    release: (connection) => {
      if (free.length < MAX_FREE && all.has(connection)) free.push(connection);
      else drop(connection);
    },
    drop,
    post,
    stream: createStream(sign),
    begin: (call) => {
      underWay.add(call);
      pulse.start();
    },
    end: (call) => {
      underWay.delete(call);
    },
    close,
  };
};

/** What undici sends. */
type Signed = Pick<Dispatcher.RequestOptions, "path" | "body"> & {
  readonly method: "POST";
  readonly headers: Record<string, string>;
};

type Sign = (path: string, body: Buffer) => Signed;

const createSign =
  ({ peer, keys, clock }: LinkOptions): Sign =>
  (path, body) => {
    const request = { method: "POST", path, target: peer.id, bodyHash: hashOf(body) };
    const headers = { [SIGNATURE_HEADER]: signed(keys(), request, clock.now()) };
    return { method: "POST", path, headers, body };
  };

const createPost =
  (sign: Sign, memory: MemoryBudget): Link["post"] =>
  async (connection, path, sent, signal) => {
    const { statusCode, headers, body: stream } = await connection.request({ ...sign(path, sent), signal });
    const length = Number(headers["content-length"] ?? 0);
    if (!memory.tryTake(length)) {
      stream.on("error", () => undefined).destroy();
      throw new NoMemory("the memory budget is used up");
    }
    try {
      const bytes = Buffer.from(await stream.arrayBuffer());
      return { status: statusCode, head: String(headers[ANSWER_HEADER] ?? ""), body: bytes };
    } catch (error) {
      memory.give(length);
      throw error;
    }
  };

/** By undici's lowest interface: streams and signals take a third of the CPU of a request. */
const createStream =
  (sign: Sign): Link["stream"] =>
  (connection, path, body, onChunk) =>
    new Promise((resolve, reject) => {
      let status = 0;
      connection.dispatch(sign(path, body), {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => {
          status = statusCode;
        },
        onResponseData: (_controller, chunk) => {
          onChunk(chunk);
        },
        onResponseEnd: () => {
          resolve(status);
        },
        onResponseError: (_controller, error) => {
          reject(error);
        },
      });
    });

interface BeatParts extends Pick<Link, "post">, Pick<LinkOptions, "path"> {
  readonly connection: Client;
  readonly underWay: ReadonlySet<UnderWay>;
}

/** Sends one sign of life. Rejects if the other process does not answer. */
const createBeat =
  ({ connection, path, post, underWay }: BeatParts) =>
  async (): Promise<void> => {
    const answers = [...underWay].flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
    for (let i = 0; i === 0 || i < answers.length; i += ANSWERS_AT_ONCE) {
      const ids = answers.slice(i, i + ANSWERS_AT_ONCE).join(",");
      await post(connection, `${path}/alive`, Buffer.from(ids), AbortSignal.timeout(CUT_MS));
    }
  };

interface PulseOptions {
  readonly clock: Clock;
  readonly underWay: ReadonlySet<UnderWay>;
  readonly beat: () => Promise<void>;
  readonly close: () => void;
}

interface Pulse {
  start(): void;
  stop(): void;
}

const createPulse = ({ clock, underWay, beat, close }: PulseOptions): Pulse => {
  let cancel: (() => void) | undefined;
  let beating = false;
  let answeredAt = 0;
  let usedAt = 0;

  const next = (): void => {
    cancel = clock.after(ALIVE_MS, onTimer);
  };
  const onTimer = (): void => {
    const now = clock.now();
    if (underWay.size > 0) usedAt = now;
    else if (now - usedAt > IDLE_MS) {
      close();
      return;
    }
    if (underWay.size > 0 && now - answeredAt > CUT_MS) for (const { onCut } of [...underWay]) onCut();
    if (underWay.size === 0) answeredAt = now;
    else if (!beating) {
      beating = true;
      void beat()
        .then(
          () => (answeredAt = clock.now()),
          () => undefined,
        )
        .finally(() => (beating = false));
    }
    next();
  };

  return {
    start: () => {
      if (cancel !== undefined) return;
      answeredAt = usedAt = clock.now();
      next();
    },
    stop: () => {
      cancel?.();
      cancel = undefined;
    },
  };
};

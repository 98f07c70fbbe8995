/** The HTTP connection to the registry's addresses. It follows no redirects. */
import { Pool } from "undici";
import type { Clock } from "../lib/clock.ts";

export type RegistryCredential =
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "bearer"; readonly token: string };

export interface ConnectionOptions {
  /** At least one. A path is kept; user info counts as a basic credential. */
  readonly urls: readonly string[];
  readonly credential?: RegistryCredential | undefined;
  /** Texts of PEM files. */
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  /** Milliseconds for one request to one address, from its start to the last byte of the answer. */
  readonly timeoutMs: number;
  /** A longer answer is cut off. */
  readonly maxAnswerBytes: number;
  /** Requests in flight. */
  readonly connections: number;
  readonly clock: Clock;
}

export interface RegistryExchange {
  readonly method: "GET" | "POST";
  /** With its query, without the path of the address. */
  readonly path: string;
  readonly body?: string | undefined;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly body: string;
}

/** There is no answer. The message says why, without the address. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export interface Connection {
  /**
   * Asks the address that has answered last, and the others after a connection fault, a timeout or a 5xx. Rejects with
   * NoAnswer.
   */
  send(exchange: RegistryExchange): Promise<RegistryAnswer>;
  /** Breaks the requests in flight. */
  close(): Promise<void>;
}

interface Address {
  readonly pool: Pool;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

const authorizationOf = (
  { username, password }: URL,
  credential: RegistryCredential | undefined,
): string | undefined => {
  if (credential?.type === "bearer") return `Bearer ${credential.token}`;
  if (credential !== undefined) return basic(credential.username, credential.password);
  return username === "" && password === ""
    ? undefined
    : basic(decodeURIComponent(username), decodeURIComponent(password));
};

const addressOf = (url: URL, { tls, timeoutMs, connections, credential }: ConnectionOptions): Address => {
  const authorization = authorizationOf(url, credential);
  return {
    pool: new Pool(url.origin, {
      connections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { ...tls, timeout: timeoutMs },
    }),
    path: url.pathname.replace(/\/+$/, ""),
    headers: { accept: MEDIA_TYPE, ...(authorization === undefined ? {} : { authorization }) },
  };
};

/** The registry has closed a kept connection before it has answered. */
const BROKEN: ReadonlySet<string> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** The texts of system errors have the address of the registry, so only their codes are used. */
const reasonOf = (error: unknown): string =>
  error instanceof NoAnswer ? error.message : `connection failed: ${codeOf(error) || "unknown reason"}`;

type Limits = Pick<ConnectionOptions, "timeoutMs" | "maxAnswerBytes" | "clock">;

const exchangeWith = async (
  { pool, path, headers }: Address,
  exchange: RegistryExchange,
  maxAnswerBytes: number,
  signal: AbortSignal,
): Promise<RegistryAnswer> => {
  const { statusCode, body } = await pool.request({
    method: exchange.method,
    path: path + exchange.path,
    headers: exchange.body === undefined ? headers : { ...headers, "content-type": MEDIA_TYPE },
    body: exchange.body ?? null,
    signal,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new NoAnswer(`the answer has more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: statusCode, body: Buffer.concat(chunks).toString() };
};

/** Rejects with NoAnswer. */
const inTime = async (
  address: Address,
  exchange: RegistryExchange,
  { timeoutMs, maxAnswerBytes, clock }: Limits,
): Promise<RegistryAnswer> => {
  const late = new AbortController();
  const cancel = clock.after(timeoutMs, () => {
    late.abort(new NoAnswer(`no answer within ${timeoutMs} ms`));
  });
  const attempt = (): Promise<RegistryAnswer> => exchangeWith(address, exchange, maxAnswerBytes, late.signal);
  try {
    return await attempt().catch((error: unknown) => {
      if (late.signal.aborted || !BROKEN.has(codeOf(error))) throw error;
      return attempt();
    });
  } catch (error) {
    throw new NoAnswer(reasonOf(late.signal.aborted ? late.signal.reason : error), { cause: error });
  } finally {
    cancel();
  }
};

export const createConnection = (options: ConnectionOptions): Connection => {
  const addresses = options.urls.map((url) => addressOf(new URL(url), options));
  let current = 0;

  /** The addresses, beginning with the one that has answered last. */
  const inTurn = (): Address[] => [...addresses.slice(current), ...addresses.slice(0, current)];

  return {
    send: async (exchange) => {
      let last: Promise<RegistryAnswer> | undefined;
      for (const address of inTurn()) {
        last = inTime(address, exchange, options);
        const answer = await last.catch(() => undefined);
        if (answer === undefined || answer.status >= 500) continue;
        current = addresses.indexOf(address);
        break;
      }
      if (last === undefined) throw new NoAnswer("no address is configured");
      return last;
    },
    close: async () => {
      await Promise.all(addresses.map(({ pool }) => pool.destroy()));
    },
  };
};

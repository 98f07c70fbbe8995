/**
 * The requests of Debezium Server's HTTP sink with JWT authentication: one connection of Java's HTTP client with an
 * offer of h2c on each request, a sign-in before the first event, a refresh after nine tenths of the token's lifetime,
 * one event at a time, and retries of a single event.
 */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface ChangeEvent {
  readonly value: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request and its outcome: a status, or the error code of a broken connection. */
export interface Exchange {
  readonly path: string;
  readonly outcome: number | string;
}

export interface DebeziumSink {
  readonly exchanges: readonly Exchange[];
  /**
   * Resolves when the event is accepted. Rejects if the engine of Debezium would stop, to be restarted by its
   * supervisor.
   */
  send(event: ChangeEvent): Promise<void>;
  close(): void;
}

interface Tokens {
  readonly jwt: string;
  readonly jwt_refresh_token: string;
  readonly expires_in: number;
}

/** The lines of an `application.properties`. */
export const parseProperties = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line.includes("=") && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.indexOf("=")).trim(), line.slice(line.indexOf("=") + 1).trim()]),
  );

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  json: "application/json",
  cloudevents: "application/cloudevents+json",
};

interface DebeziumOptions {
  readonly properties: Readonly<Record<string, string>>;
  /** The path for refreshes: `auth/refreshToken` in newer versions, `auth/authenticate` in 2.7 and 3.0. */
  readonly refreshPath?: string;
  /** The sink's clock, in milliseconds. */
  readonly now: () => number;
  /** Called at the end of each exchange. */
  readonly heard?: (exchange: Exchange) => void;
}

export const createDebeziumSink = (options: DebeziumOptions): DebeziumSink => {
  const { properties, now, heard, refreshPath = "auth/refreshToken" } = options;
  const setting = (name: string): string => {
    const value = properties[`debezium.sink.http.${name}`];
    if (value === undefined) throw new TypeError(`debezium.sink.http.${name} is not set`);
    return value;
  };
  const jwt = (name: string): string => setting(`authentication.jwt.${name}`);
  const lifetimes = {
    token_expiry_in_minutes: Number(jwt("token_expiration")),
    refresh_token_expiry_in_minutes: Number(jwt("refresh_token_expiration")),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const exchanges: Exchange[] = [];
  let tokens: Tokens | undefined;
  let refreshAt = 0;

  const exchange = async (url: string, body: string, headers: Record<string, string>): Promise<Answer> => {
    const answer = await post(agent, url, body, headers);
    const ended = { path: new URL(url).pathname, outcome: answer.outcome };
    exchanges.push(ended);
    heard?.(ended);
    return answer;
  };

  const authenticate = async (): Promise<string> => {
    if (tokens !== undefined && now() <= refreshAt) return tokens.jwt;
    const [path, fields] =
      tokens === undefined
        ? ["auth/authenticate", { username: jwt("username"), password: jwt("password") }]
        : [refreshPath, { jwt_refresh_token: tokens.jwt_refresh_token }];
    const body = JSON.stringify({ ...fields, ...lifetimes });
    const answer = await exchange(jwt("url") + path, body, { "content-type": "application/json" });
    if (answer.outcome !== 200) throw new Error(`${path} ended with ${answer.outcome}: ${answer.body}`);
    tokens = JSON.parse(answer.body) as Tokens;
    refreshAt = now() + 0.9 * tokens.expires_in;
    return tokens.jwt;
  };

  const isSent = async ({ value, headers = {} }: ChangeEvent): Promise<boolean> => {
    const own = Object.entries(headers).map(([name, text]) => [
      `X-DEBEZIUM-${name.toUpperCase()}`,
      Buffer.from(text).toString("base64"),
    ]);
    const { outcome } = await exchange(setting("url"), value, {
      Authorization: `Bearer: ${await authenticate()}`,
      "content-type": MEDIA_TYPES[properties["debezium.format.value"] ?? "json"] ?? "",
      ...(Object.fromEntries(own) as Record<string, string>),
    });
    return typeof outcome === "number" && outcome >= 200 && outcome < 300;
  };

  return {
    exchanges,
    send: async (event) => {
      for (let attempt = 1; !(await isSent(event)); attempt++) {
        if (attempt >= Number(setting("retries"))) throw new Error(`not published in ${attempt} attempts`);
        await sleep(Number(setting("retry.interval.ms")));
      }
    },
    close: () => {
      agent.destroy();
    },
  };
};

interface Answer {
  readonly outcome: number | string;
  readonly body: string;
}

/** Java's client offers h2c on each unencrypted request. */
const JAVA = {
  Connection: "Upgrade, HTTP2-Settings",
  "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
  Upgrade: "h2c",
  "User-Agent": "Java-http-client/21.0.5",
};

const post = (agent: Agent, url: string, body: string, headers: Record<string, string>): Promise<Answer> =>
  new Promise((resolve) => {
    const length = String(Buffer.byteLength(body));
    const sent = request(url, {
      agent,
      method: "POST",
      headers: { ...JAVA, "Content-Length": length, ...headers },
    });
    const broken = (error: NodeJS.ErrnoException): void => {
      resolve({ outcome: error.code ?? error.message, body: "" });
    };
    sent.on("error", broken);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", broken);
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ outcome: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    sent.end(body);
  });

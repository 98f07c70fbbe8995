/**
 * Calls to the gateway. Each call carries the credential; an expired token is renewed once; failures become exit codes.
 */
import { z } from "zod";
import { errnoOf } from "../lib/file-system.ts";
import type { Account, Connection, Target } from "./connection.ts";
import { CommandFailure, type Exit } from "./shell.ts";
import { type FetchedAnswer, fetchWith } from "./tls.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** A Buffer is sent unchanged, any other value as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Milliseconds to wait for the answer. Default: one minute. */
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Pick<Headers, "get">;
  readonly text: string;
}

export interface Client {
  readonly url: string;
  /**
   * Resolves with an answer of any status. Rejects with "unreachable" without an answer, and with "forbidden" if
   * sign-in fails.
   */
  call(call: Call): Promise<Answer>;
  /** As `call`, but resolves when the answer begins: its body is a stream, without a time limit. */
  open(call: Call): Promise<FetchedAnswer>;
}

const TIMEOUT = 60_000;

/** The message of an error. Like `errnoOf` it doesn't use `instanceof`. */
const messageOfError = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);

/** Why the certificate of the gateway is not trusted, by the codes of OpenSSL. */
const UNTRUSTED = /^(UNABLE_TO_(GET|VERIFY)_\w+|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$/;

const reasonOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error);
  if ("name" in error && error.name === "TimeoutError") return "no answer in time";
  const cause = "cause" in error ? error.cause : undefined;
  const code = errnoOf(cause) ?? messageOfError(cause ?? error);
  return UNTRUSTED.test(code) ? `${code}; give the CA of its certificate by --ca` : code;
};

const bodyOf = (body: unknown): { body?: Buffer | string; type?: string } => {
  if (body === undefined) return {};
  return body instanceof Buffer ? { body } : { body: JSON.stringify(body), type: "application/json" };
};

/** Resolves when the answer begins. `timeout` is also for its body. */
const send = async ({ url, tls }: Target, call: Call, timeout: AbortSignal): Promise<FetchedAnswer> => {
  const { method, path, headers, signal } = call;
  const { body, type } = bodyOf(call.body);
  return fetchWith(tls, url + path, {
    method,
    redirect: "manual",
    headers: { ...(type !== undefined && { "content-type": type }), ...headers },
    ...(body !== undefined && { body }),
    signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
  });
};

/** The failure of a call without an answer. */
const failureOf = (url: string, { signal }: Call, error: unknown): CommandFailure =>
  signal?.aborted === true
    ? new CommandFailure("interrupted", "interrupted")
    : new CommandFailure("unreachable", `${url} can't be reached (${reasonOf(error)})`, error);

const exchange = async (target: Target, call: Call): Promise<Answer> => {
  try {
    const response = await send(target, call, AbortSignal.timeout(call.timeoutMs ?? TIMEOUT));
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    throw failureOf(target.url, call, error);
  }
};

const openExchange = async (target: Target, call: Call): Promise<FetchedAnswer> => {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new DOMException("no answer in time", "TimeoutError"));
  }, call.timeoutMs ?? TIMEOUT);
  try {
    return await send(target, call, late.signal);
  } catch (error) {
    throw failureOf(target.url, call, error);
  } finally {
    clearTimeout(timer);
  }
};

/** The exit of a refused call. An answer that another server wrote, such as a proxy, counts as unreachable. */
const exitOf = (answer: Answer): Exit => {
  const { status } = answer;
  if (!isOwn(answer) || status >= 500 || status === 429 || status === 408) return "unreachable";
  return status === 401 || status === 403 ? "forbidden" : "failed";
};

/** The answer as a failure, with the gateway's message. */
export const refusal = (answer: Answer): CommandFailure =>
  new CommandFailure(exitOf(answer), `${messageOf(answer)} (${answer.status})`);

/** Resolves with a 2xx answer. Rejects if the status is another one. */
export const demand = async (client: Client, call: Call): Promise<Answer> => {
  const answer = await client.call(call);
  if (answer.status < 200 || answer.status > 299) throw refusal(answer);
  return answer;
};

/** The failure for an answer that no gateway wrote. The outcome of the operation is unknown. */
export const foreignAnswer = ({ status }: Answer): CommandFailure =>
  new CommandFailure(
    "unreachable",
    `the answer is not from a Stationgate gateway (${status}): check the URL`,
  );

/**
 * To be called before the first operation, so that a wrong URL or a failed sign-in ends the command at once. Only
 * operations after it are retried. An error status is accepted, because a proxy may block this path.
 */
export const requireGateway = async (client: Client): Promise<void> => {
  const answer = await client.call({ method: "GET", path: "/monitoring/status" });
  if (answer.status < 400 && !z.object({ status: z.string() }).safeParse(jsonOf(answer.text)).success)
    throw foreignAnswer(answer);
};

/** The answer's JSON, checked by the schema. Throws if it has another shape: then no gateway wrote it. */
export const parsedAnswer = <T>(schema: z.ZodType<T>, answer: Answer): T => {
  const { success, data } = schema.safeParse(jsonOf(answer.text));
  if (!success) throw foreignAnswer(answer);
  return data;
};

export const pairShape = z.looseObject({
  jwt: z.string(),
  expires_in: z.number(),
  jwt_refresh_token: z.string().optional(),
  refresh_token_expires_in: z.number().optional(),
});

/** Signs in at the gateway. `wanted` are further fields of the request. */
export const signIn = async (
  { credential, ...target }: Connection<Account>,
  wanted: Readonly<Record<string, unknown>>,
): Promise<z.output<typeof pairShape>> => {
  const { username, connectionToken, password } = credential;
  const body = { username, connection_token: connectionToken, password, ...wanted };
  const answer = await exchange(target, { method: "POST", path: "/auth/authenticate", body });
  if (answer.status !== 200) throw refusal(answer);
  return parsedAnswer(pairShape, answer);
};

/** A client that sends no credential. */
export const openClient = (target: Target): Client => ({
  url: target.url,
  call: (call) => exchange(target, call),
  open: (call) => openExchange(target, call),
});

const headersFor = async ({ credential, ...target }: Connection): Promise<Record<string, string>> => {
  if (credential.kind === "certificate") return {};
  if (credential.kind === "bearer") return { authorization: `Bearer ${credential.token}` };
  if (credential.kind === "apiKey") return { "x-api-key": credential.key };
  const { jwt } = await signIn({ ...target, credential }, { refresh: false });
  return { authorization: `Bearer ${jwt}` };
};

export const createClient = (connection: Connection): Client => {
  const { url, credential } = connection;
  /** The headers with the credential, from the first call on. */
  let known: Promise<Record<string, string>> | undefined;

  const attempt = async <A>(call: Call, by: (target: Target, call: Call) => Promise<A>): Promise<A> => {
    known ??= headersFor(connection);
    const authorization = await known.catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return by(connection, { ...call, headers: { ...call.headers, ...authorization } });
  };

  const renewing =
    <A extends { readonly status: number }>(by: (target: Target, call: Call) => Promise<A>) =>
    async (call: Call): Promise<A> => {
      const answer = await attempt(call, by);
      // The account's token has expired: sign in again, once.
      if (answer.status !== 401 || credential.kind !== "account") return answer;
      known = undefined;
      return attempt(call, by);
    };

  return { url, call: renewing(exchange), open: renewing(openExchange) };
};

/** The error message in an answer. Each API family has its own shape. */
const shapes = z.union([
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z
    .object({ message: z.array(z.object({ field: z.string(), reason: z.string() })).min(1) })
    .transform(({ message }) => message.map(({ field, reason }) => `${field}: ${reason}`).join("; ")),
  z.object({ errors: z.array(z.string()).min(1) }).transform(({ errors }) => errors.join("; ")),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
  z.object({ title: z.string() }).transform(({ title }) => title),
]);

/** Maximum characters of a text that no gateway wrote, such as a proxy's page. */
const LONGEST = 200;

/** The text as JSON; undefined if the text isn't JSON. */
export const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** True if a gateway wrote the answer. A proxy's page, an empty or an incomplete answer has none of the shapes. */
export const isOwn = ({ text }: { readonly text: string }): boolean => shapes.safeParse(jsonOf(text)).success;

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** The message on one line, without control characters, which a terminal would execute. */
export const messageOf = ({ status, text }: { readonly status: number; readonly text: string }): string => {
  const { success, data } = shapes.safeParse(jsonOf(text));
  if (success) return data.replace(CONTROLS, " ");
  const plain = text
    .slice(0, 10 * LONGEST)
    .replace(CONTROLS, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, LONGEST);
  return plain === "" ? `the gateway answered ${status}` : plain;
};

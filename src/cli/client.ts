/** Calls to the gateway: the credential on each, one renewal of a token that has run out, failures as exits. */
import { z } from "zod";
import { errnoOf } from "../lib/file-system.ts";
import type { Account, Connection, Credential } from "./connection.ts";
import { CommandFailure, type Exit } from "./shell.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** A Buffer goes out as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Milliseconds beyond which no answer is waited for; default a minute. */
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Client {
  readonly url: string;
  /** Any answer, whatever its status. Rejects with "unreachable" where there was none, "forbidden" where signing in fails. */
  call(call: Call): Promise<Answer>;
}

const TIMEOUT = 60_000;

/** An error's own words; looks at no class, as `errnoOf`. */
const wordsOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);

const reasonOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error);
  if ("name" in error && error.name === "TimeoutError") return "no answer in time";
  const cause = "cause" in error ? error.cause : undefined;
  return errnoOf(cause) ?? wordsOf(cause ?? error);
};

const bodyOf = (body: unknown): { body?: Buffer | string; type?: string } => {
  if (body === undefined) return {};
  return body instanceof Buffer ? { body } : { body: JSON.stringify(body), type: "application/json" };
};

const exchange = async (url: string, call: Call): Promise<Answer> => {
  const { method, path, headers, signal, timeoutMs = TIMEOUT } = call;
  const { body, type } = bodyOf(call.body);
  const inTime = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url + path, {
      method,
      redirect: "manual",
      headers: { ...(type !== undefined && { "content-type": type }), ...headers },
      ...(body !== undefined && { body }),
      signal: signal === undefined ? inTime : AbortSignal.any([inTime, signal]),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    if (signal?.aborted === true) throw new CommandFailure("interrupted", "interrupted");
    throw new CommandFailure("unreachable", `${url} can't be reached (${reasonOf(error)})`, error);
  }
};

/** What something on the way to the gateway answers says nothing of the credential, nor of the operation. */
const exitOf = (answer: Answer): Exit => {
  const { status } = answer;
  if (!isOwn(answer) || status >= 500 || status === 429 || status === 408) return "unreachable";
  return status === 401 || status === 403 ? "forbidden" : "failed";
};

/** The answer as a failure, in the gateway's own words. */
export const refusal = (answer: Answer): CommandFailure =>
  new CommandFailure(exitOf(answer), `${messageOf(answer)} (${answer.status})`);

/** The answer of a call without which there is no going on. Rejects with anything but a 2xx. */
export const demand = async (client: Client, call: Call): Promise<Answer> => {
  const answer = await client.call(call);
  if (answer.status < 200 || answer.status > 299) throw refusal(answer);
  return answer;
};

/** The failure that an answer is which no gateway has given: whether it did what it was asked, nobody knows. */
export const strange = ({ status }: Answer): CommandFailure =>
  new CommandFailure("unreachable", `the answer is none of a Stationgate (${status}): is the URL right?`);

/**
 * Rejects at once where nobody is there, or somebody else, or signing in fails: trying again for a while is for a gateway
 * that has been there before. A proxy may keep this path to itself.
 */
export const reach = async (client: Client): Promise<void> => {
  const answer = await client.call({ method: "GET", path: "/monitoring/status" });
  if (answer.status < 400 && !z.object({ status: z.string() }).safeParse(jsonOf(answer.text)).success)
    throw strange(answer);
};

/** The answer's JSON in this shape; what isn't comes from no gateway. */
export const parsed = <T>(schema: z.ZodType<T>, answer: Answer): T => {
  const { success, data } = schema.safeParse(jsonOf(answer.text));
  if (!success) throw strange(answer);
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
  { url, credential }: Connection<Account>,
  wanted: Readonly<Record<string, unknown>>,
): Promise<z.output<typeof pairShape>> => {
  const { username, connectionToken, password } = credential;
  const body = { username, connection_token: connectionToken, password, ...wanted };
  const answer = await exchange(url, { method: "POST", path: "/auth/authenticate", body });
  if (answer.status !== 200) throw refusal(answer);
  return parsed(pairShape, answer);
};

/** A client without a credential of its own. */
export const openClient = (url: string): Client => ({ url, call: (call) => exchange(url, call) });

const headersFor = async (url: string, credential: Credential): Promise<Record<string, string>> => {
  if (credential.kind === "bearer") return { authorization: `Bearer ${credential.token}` };
  if (credential.kind === "apiKey") return { "x-api-key": credential.key };
  const { jwt } = await signIn({ url, credential }, { refresh: false });
  return { authorization: `Bearer ${jwt}` };
};

export const createClient = ({ url, credential }: Connection): Client => {
  let known: Promise<Record<string, string>> | undefined;

  const attempt = async (call: Call): Promise<Answer> => {
    known ??= headersFor(url, credential);
    const authorization = await known.catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return exchange(url, { ...call, headers: { ...call.headers, ...authorization } });
  };

  return {
    url,
    call: async (call) => {
      const answer = await attempt(call);
      // An account's token may have run out in the meantime: sign in once more.
      if (answer.status !== 401 || credential.kind !== "account") return answer;
      known = undefined;
      return attempt(call);
    },
  };
};

/** What a gateway's answer says in words: each API family has its own shape for it. */

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

/** Longer texts that aren't a gateway's, such as a proxy's page, are cut. */
const LONGEST = 200;

/** The text as JSON; undefined if the text isn't JSON. */
export const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Did a gateway write it? A proxy's page, an empty answer and one that was cut off are in none of its shapes. */
export const isOwn = ({ text }: { readonly text: string }): boolean => shapes.safeParse(jsonOf(text)).success;

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** On one line, and without what a terminal would obey. */
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

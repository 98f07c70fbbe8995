/** Clients that read a group over HTTP until they are stopped, and record each answer and each event. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";

export interface Delivery {
  readonly n: number;
  /** When the client had the whole answer, in milliseconds. */
  readonly at: number;
}

export interface Answered {
  /** 0: no answer, the connection broke. */
  readonly status: number;
  readonly body: string;
  readonly began: number;
  readonly ended: number;
}

export interface Reader {
  readonly deliveries: readonly Delivery[];
  readonly answers: readonly Answered[];
  /** Resolves when the readers have this many different events together. */
  has(count: number): Promise<void>;
  /** Waits for the calls in flight. */
  stop(): Promise<void>;
}

export interface ReaderOptions {
  readonly url: string;
  readonly token: string;
  readonly station: string;
  readonly group: string;
  /** Calls at the same time. Default: 1. */
  readonly clients?: number;
  /** Maximum number of events in an answer. Default: 100. */
  readonly count?: number;
  /** Default: 1000. */
  readonly waitMs?: number;
}

export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly type?: string;
  readonly body?: object;
}

export type Call = (request: Request) => Promise<Answered>;

/** A client that keeps its connections. A call never rejects. */
export const callerOf = (
  { url, token }: Pick<ReaderOptions, "url" | "token">,
  agent = new Agent({ connections: 64 }),
): Call => {
  const send = async ({
    method,
    path,
    type = "application/json",
    body,
  }: Request): Promise<[number, string]> => {
    const answer = await agent.request({
      origin: url,
      path,
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": type }) },
      ...(body && { body: JSON.stringify(body) }),
      headersTimeout: 90_000,
    });
    return [answer.statusCode, await answer.body.text()];
  };
  return async (request) => {
    const began = Date.now();
    const [status, body] = await send(request).catch((error: unknown) => [0, String(error)] as const);
    return { status, body, began, ended: Date.now() };
  };
};

export const batchOf = ({ station, group, count = 100, waitMs = 1000 }: ReaderOptions): Request => ({
  method: "POST",
  path: `/stations/${station}/consume/batch`,
  body: {
    consumer_name: "reader",
    consumer_group: group,
    batch_size: count,
    batch_max_wait_time_ms: waitMs,
  },
});

/** The numbers of the events `{"n": …}` in an answer of `consume/batch`. */
export const numbersOf = ({ status, body }: Answered): readonly number[] =>
  status === 200
    ? (JSON.parse(body) as { message: string }[]).map(
        ({ message }) => (JSON.parse(message) as { n: number }).n,
      )
    : [];

/** Milliseconds until the next call after an answer that is not 200. */
const AGAIN_MS = 100;

/** Repeats a call of each client, and keeps what it reads. */
export const startReading = (
  loops: readonly (() => Promise<{ readonly answer: Answered; readonly numbers: readonly number[] }>)[],
): Reader => {
  const deliveries: Delivery[] = [];
  const answers: Answered[] = [];
  const different = new Set<number>();
  let stopped = false;
  const run = async (next: (typeof loops)[number]): Promise<void> => {
    while (!stopped) {
      const { answer, numbers } = await next();
      answers.push(answer);
      for (const n of numbers) {
        deliveries.push({ n, at: answer.ended });
        different.add(n);
      }
      if (answer.status !== 200) await sleep(AGAIN_MS);
    }
  };
  const running = loops.map(run);
  return {
    deliveries,
    answers,
    has: async (count) => {
      while (different.size < count) await sleep(20);
    },
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
};

/** Clients that call `consume/batch`. */
export const startBatchReaders = (options: ReaderOptions): Reader => {
  const call = callerOf(options);
  const next = async () => {
    const answer = await call(batchOf(options));
    return { answer, numbers: numbersOf(answer) };
  };
  return startReading(Array.from({ length: options.clients ?? 1 }, () => next));
};

/** How often each status was answered, without 200. */
export const failuresOf = ({ answers }: Pick<Reader, "answers">): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { status } of answers) if (status !== 200) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

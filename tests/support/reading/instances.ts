/** Clients that read a group as consumer instances of the REST Proxy v2 API. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  callerOf,
  startReading,
  type Answered,
  type Reader,
  type ReaderOptions,
  type Request,
} from "./readers.ts";

const TYPE = "application/vnd.kafka.v2+json";

interface Started {
  readonly reader: Reader;
  /** Answers of the calls that created the instances and their subscriptions. */
  readonly answers: readonly Answered[];
}

/** Creates `clients` instances that subscribe to the station, and starts to read. */
export const startInstanceReaders = async (options: ReaderOptions): Promise<Started> => {
  const { group, station, clients = 1, waitMs = 1000 } = options;
  const call = callerOf(options);
  const answers: Answered[] = [];
  /** Repeats the call until its status is one of these. */
  const until = async (statuses: readonly number[], request: Request): Promise<void> => {
    for (;;) {
      const answer = await call(request);
      answers.push(answer);
      if (statuses.includes(answer.status)) return;
      if (answer.status >= 400 && answer.status < 500) throw new Error(`${answer.status}: ${answer.body}`);
      await sleep(100);
    }
  };
  const create = async (name: string) => {
    const instance = `/consumers/${group}/instances/${name}`;
    // 409: an earlier attempt, whose connection broke, has created it.
    await until([200, 409], {
      method: "POST",
      path: `/consumers/${group}`,
      type: TYPE,
      body: { name, format: "json", "auto.offset.reset": "earliest" },
    }).catch((error: unknown) => {
      if (!String(error).includes("40902")) throw error;
    });
    await until([204], {
      method: "POST",
      path: `${instance}/subscription`,
      type: TYPE,
      body: { topics: [station] },
    });
    return async () => {
      const path = `${instance}/records?timeout=${waitMs}&max_bytes=50000`;
      const answer = await call({ method: "GET", path });
      const records =
        answer.status === 200
          ? (JSON.parse(answer.body) as { readonly value: { readonly n: number } }[])
          : [];
      return { answer, numbers: records.map(({ value }) => value.n) };
    };
  };
  const names = Array.from({ length: clients }, (_, index) => `instance-${index}`);
  return { reader: startReading(await Promise.all(names.map(create))), answers };
};

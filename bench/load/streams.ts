/**
 * Clients of event streams. Opens the streams, produces events at a fixed rate, and measures the time from the produce's
 * acknowledgement to the arrival of each event. Arguments: URL of the station, authorization, streams, streams that don't read,
 * seconds. Prints one line of JSON when the streams are open, waits for a line on the standard input, runs, and prints the
 * result as one line.
 */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface StreamsResult {
  readonly p50: number;
  readonly p99: number;
  readonly delivered: number;
  readonly seconds: number;
  /** Streams that read and did not get one of the last events. */
  readonly incomplete: number;
}

const EVENTS_PER_CALL = 5;
const CALL_EVERY_MS = 10;
const EVENT_BYTES = 256;
/** Every tenth stream is measured; the others only count their bytes, so that the clients don't need most of the CPU time. */
const MEASURED_EVERY = 10;
const OPEN_AT_ONCE = 50;
const SETTLE_MS = 3000;
/** The order of different partitions is free, so that the last event of a stream is one of the last. */
const LAST_EVENTS = 100;
const MARK = Buffer.from('"seq":');
const DIGITS = 9;

const [station = "", authorization = "", streams = "", silent = "", seconds = ""] = process.argv.slice(2);
const url = new URL(station);
const acknowledgedAt: number[] = [];
const latencies: number[] = [];
const lastSeen: number[] = [];
let measuring = false;
let delivered = 0;

/** NaN: the number is cut by the end of the chunk. */
const seqAt = (chunk: Buffer, at: number): number => {
  const digits = chunk.toString("latin1", at + MARK.length, at + MARK.length + DIGITS);
  return digits.length < DIGITS ? NaN : Number(digits);
};

const measure = (buffer: Buffer, size: number): void => {
  const now = performance.now();
  const chunk = buffer.subarray(0, size);
  for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + MARK.length)) {
    const seq = seqAt(chunk, at);
    if (Number.isNaN(seq)) continue;
    const sent = acknowledgedAt[seq];
    delivered += 1;
    if (measuring) latencies.push(sent === undefined ? 0 : Math.max(0, now - sent));
  }
};

/** The sockets share it: the callback uses the bytes before the next read. */
const buffer = Buffer.alloc(256 * 1024);

const open = async (index: number): Promise<Socket> => {
  const reads = index >= Number(silent);
  const socket = connect({
    ...{ host: url.hostname, port: Number(url.port), noDelay: true },
    onread: {
      buffer,
      callback: (size) => {
        if (index % MEASURED_EVERY === 0) measure(buffer, size);
        const chunk = buffer.subarray(0, size);
        const at = chunk.lastIndexOf(MARK);
        lastSeen[index] = at < 0 ? (lastSeen[index] ?? -1) : seqAt(chunk, at);
        return reads;
      },
    },
  });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(
    `GET ${url.pathname}/consume/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: ${authorization}\r\n\r\n`,
  );
  while (lastSeen[index] === undefined) await sleep(5);
  return socket;
};

const agent = new Agent({ keepAlive: true });
let sequence = 0;

const produce = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const first = sequence;
    sequence += EVENTS_PER_CALL;
    const events = Array.from({ length: EVENTS_PER_CALL }, (_, n) => {
      const event = `{"seq":${String(first + n).padStart(DIGITS)},"text":"`;
      return `${event}${"x".repeat(EVENT_BYTES - event.length - 2)}"}`;
    });
    const call = request(
      `${station}/produce/batch`,
      { method: "POST", agent, headers: { authorization, "content-type": "application/json" } },
      (answer) => {
        const now = performance.now();
        for (let n = 0; n < EVENTS_PER_CALL; n++) acknowledgedAt[first + n] = now;
        answer.resume().once("end", resolve);
        if (answer.statusCode !== 200) reject(new Error(`produce was answered ${answer.statusCode}`));
      },
    );
    call.once("error", reject).end(`[${events.join(",")}]`);
  });

const produceFor = async (ms: number): Promise<void> => {
  const began = performance.now();
  const calls: Promise<void>[] = [];
  for (let due = began; due < began + ms; due += CALL_EVERY_MS) {
    if (due > performance.now()) await sleep(due - performance.now());
    calls.push(produce());
  }
  await Promise.all(calls);
};

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const sockets: Socket[] = [];
for (let index = 0; index < Number(streams); index += OPEN_AT_ONCE) {
  const count = Math.min(OPEN_AT_ONCE, Number(streams) - index);
  sockets.push(...(await Promise.all(Array.from({ length: count }, (_, n) => open(index + n)))));
}
say({ open: sockets.length });
await once(process.stdin, "data");
const began = performance.now();
await produceFor(2000);
measuring = true;
await produceFor(Number(seconds) * 1000);
const took = (performance.now() - began) / 1000;
await sleep(SETTLE_MS);
latencies.sort((one, other) => one - other);
const result: StreamsResult = {
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
  delivered: delivered * MEASURED_EVERY,
  seconds: took,
  incomplete: lastSeen.slice(Number(silent)).filter((seq) => seq < sequence - LAST_EVENTS).length,
};
say(result);
process.exit();

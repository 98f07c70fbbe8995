/** Load on one URL over many connections, with wrk if it is installed, otherwise with autocannon. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Figures } from "../measurement.ts";
import { lastLine, output } from "../programs.ts";

export interface LoadRequest {
  readonly url: string;
  readonly authorization: string;
  readonly contentType: string;
  readonly body: string;
}

interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  /** The core on which wrk runs. Default: any core. autocannon ignores it. */
  readonly core?: number;
}

export interface LoadResult {
  /** Number of answered requests, with any status. */
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. Absent for a stream. */
  readonly latency?: Pick<Figures, "p50" | "p99">;
  /** Answers with another status than 2xx. */
  readonly refused: number;
  /** Failed connections and incomplete answers. */
  readonly broken: number;
}

/** Repeats the request on each connection for this time. A connection sends its next request after the answer. */
type Load = (request: LoadRequest, options: LoadOptions) => Promise<LoadResult>;

const withBody = async <T>(body: string, use: (file: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), "stationgate-load-"));
  try {
    const file = join(folder, "body");
    await writeFile(file, body);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** One thread is faster than every subject of the benchmarks. */
const wrk: Load = ({ url, authorization, contentType, body }, { connections, seconds, core }) =>
  withBody(body, async (file) => {
    const size = [`-t1`, `-c${connections}`, `-d${seconds}s`, "--timeout", "30s"];
    const pinned = core === undefined ? [] : ["taskset", "-c", String(core)];
    const text = await output([...pinned, "wrk", ...size, "-s", resolve("bench/load/request.lua"), url], {
      BENCH_BODY: file,
      BENCH_CONTENT_TYPE: contentType,
      BENCH_AUTHORIZATION: authorization,
    });
    return lastLine(text) as LoadResult;
  });

interface AutocannonReport {
  readonly requests: { readonly total: number };
  readonly duration: number;
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
  readonly timeouts: number;
}

const autocannon: Load = ({ url, authorization, contentType, body }, { connections, seconds }) =>
  withBody(body, async (file) => {
    const size = ["-c", String(connections), "-d", String(seconds), "-t", "30"];
    const headers = ["-H", `content-type=${contentType}`, "-H", `authorization=${authorization}`];
    const program = resolve("node_modules/autocannon/autocannon.js");
    const command = [process.execPath, program, "-j", "-m", "POST", "-i", file, ...size, ...headers, url];
    const { requests, duration, latency, non2xx, errors, timeouts } = lastLine(
      await output(command),
    ) as AutocannonReport;
    return {
      requests: requests.total,
      seconds: duration,
      latency: { p50: latency.p50, p99: latency.p99 },
      refused: non2xx,
      broken: errors + timeouts,
    };
  });

export interface LoadTool {
  readonly name: string;
  readonly load: Load;
}

export const loadTool = async (): Promise<LoadTool> => {
  // `wrk -v` prints the version and exits with a failure.
  const version = await output(["sh", "-c", "wrk -v 2>&1 || true"]);
  const name = /^wrk \S+/.exec(version)?.[0];
  return name === undefined ? { name: "autocannon", load: autocannon } : { name, load: wrk };
};

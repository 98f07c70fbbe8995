/** Reads an event stream of a gateway as NDJSON. */
import { get, type IncomingMessage } from "node:http";

export interface StreamLine {
  readonly id?: string;
  readonly partition?: number;
  readonly offset?: string;
  readonly key?: string | null;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly gap?: { readonly partition: number; readonly from: string; readonly to: string };
  readonly end?: { readonly reason: string };
}

export interface OpenedStream {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** All bytes so far. */
  readonly text: () => string;
  /** The NDJSON lines so far, without heartbeats. */
  readonly lines: () => readonly StreamLine[];
  /** Resolves when the text has this part. */
  readonly seen: (part: string) => Promise<void>;
  /** Resolves to the first events when there are as many. */
  readonly events: (count: number) => Promise<readonly StreamLine[]>;
  /** Resolves when the gateway has ended the answer (true) or cut the connection (false). */
  readonly over: Promise<boolean>;
  /** Stops reading from the socket. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
}

const isEvent = (line: StreamLine): boolean => line.offset !== undefined;

export const openStream = async (
  url: string | URL,
  headers: Readonly<Record<string, string>>,
): Promise<OpenedStream> => {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false, headers: { Accept: "application/x-ndjson", ...headers } }, resolve).on(
      "error",
      reject,
    );
  });
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const over = new Promise<boolean>((resolve) => {
    response
      .on("error", () => undefined)
      .once("close", () => {
        resolve(response.complete);
      });
  });
  const lines = (): StreamLine[] =>
    text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as StreamLine);
  const until = (isReady: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!isReady()) return;
        response.off("data", check);
        resolve();
      };
      response.on("data", check);
      void over.then(() => {
        check();
        reject(new Error(`the stream ended: ${text}`));
      });
      check();
    });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => text,
    lines,
    seen: (part) => until(() => text.includes(part)),
    events: async (count) => {
      await until(() => lines().filter(isEvent).length >= count);
      return lines().filter(isEvent).slice(0, count);
    },
    over,
    pause: () => response.pause(),
    resume: () => response.resume(),
    close: () => response.destroy(),
  };
};

/** The connector's endpoint: accepts all events and remembers their ids. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export interface CountingSink {
  readonly url: string;
  readonly ids: ReadonlySet<string>;
  /** Resolves when all of these ids have arrived, or after `timeout` milliseconds. */
  until(ids: readonly string[], timeout: number): Promise<void>;
  close(): Promise<void>;
}

const PAUSE = 100;

export const startSink = async (): Promise<CountingSink> => {
  const ids = new Set<string>();
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      ids.add((JSON.parse(body) as { readonly id: string }).id);
      response.end('{"retry":false}');
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ids,
    until: async (wanted, timeout) => {
      const deadline = performance.now() + timeout;
      while (wanted.some((id) => !ids.has(id)) && performance.now() < deadline) await sleep(PAUSE);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

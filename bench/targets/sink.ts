/** The endpoint of the connectors, in a process of its own. */
import { helper, start } from "../programs.ts";

export interface SinkReport {
  received: number;
  /** Events that were not the next event of their key. */
  disordered: number;
  /** Milliseconds of the sink's own clock. */
  firstAt: number;
  lastAt: number;
}

export interface Sink {
  readonly url: string;
  reset(): Promise<void>;
  report(): Promise<SinkReport>;
  stop(): Promise<void>;
}

export const startSink = async (delayMs: number): Promise<Sink> => {
  const running = await start(helper("references/sink", [String(delayMs)]));
  const url = `http://127.0.0.1:${(running.said as { port: number }).port}/`;
  return {
    url,
    reset: async () => {
      await fetch(url, { method: "DELETE" });
    },
    report: async () => (await (await fetch(url)).json()) as SinkReport,
    stop: () => running.stop(),
  };
};

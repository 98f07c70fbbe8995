/**
 * `@stationgate/browser/subscribe`: the live events of a station, each exactly once and in order per partition, through
 * reconnects. It reads with `fetch`: an EventSource gives no status, and can't send the token in a header.
 */
import { later } from "./guard.ts";
import { createReception, type Ending } from "./reception.ts";
import type { SubscribeOptions, Subscription, SubscriptionState } from "./subscribe-types.ts";

export type * from "./subscribe-types.ts";

/** Statuses of requests that the gateway will never accept. */
const FINAL: readonly unknown[] = [400, 403, 404];

export const subscribe = <Value = unknown>(options: SubscribeOptions<Value>): Subscription => {
  const { onState, retryDelay = 1000, maxRetryDelay = 30_000 } = options;
  const reception = createReception(options, () => {
    tell("open");
  });
  let isOver = false;
  const isClosed = (): boolean => isOver;
  /** Ends the connection, or the wait for the next one. */
  let interrupt = (): void => undefined;

  const tell = (state: SubscriptionState["state"], { reason, status }: Partial<Ending> = {}): void => {
    // In a microtask, so that an error of the callback is an error of the page.
    queueMicrotask(() => onState?.({ state, ...(reason && { reason }), ...(status && { status }) }));
  };

  const close = (ending?: Ending): void => {
    if (isOver) return;
    isOver = true;
    interrupt();
    tell("closed", ending);
  };

  const pause = (failures: number, retryAfter = 0): Promise<void> =>
    new Promise((resolve) => {
      interrupt = resolve;
      const range = Math.min(maxRetryDelay - retryDelay, retryDelay * 2 ** failures);
      later(resolve, retryAfter + retryDelay + Math.random() * range);
    });

  const run = async (): Promise<void> => {
    while (!isClosed()) {
      tell("connecting");
      const connection = new AbortController();
      interrupt = () => {
        connection.abort();
      };
      const ending = await reception.connect(connection.signal);
      // Nothing stays open after a callback or a line has failed.
      connection.abort();
      if (isClosed() || ending.isBrief) continue;
      if (FINAL.includes(ending.status)) {
        close(ending);
        return;
      }
      tell("waiting", ending);
      await pause(ending.failures, ending.retryAfter);
    }
  };
  void run();

  return {
    get lastEventId() {
      return reception.lastEventId();
    },
    close: () => {
      close();
    },
  };
};

/** What a page gives a producer, and what it gets back. */

/** What became of an event. */
export type Outcome =
  | {
      readonly status: "stored";
      readonly id: string;
      readonly partition?: number;
      /** Decimal. */
      readonly offset?: string;
      /** Milliseconds since the epoch. */
      readonly timestamp?: number;
    }
  /** It will never be stored as it is; `error` says why. */
  | { readonly status: "refused"; readonly id: string; readonly error: string }
  /** The producer was closed first: the event stays in this browser, and the next producer sends it. */
  | { readonly status: "kept"; readonly id: string }
  /** The producer was closed first, this browser keeps nothing, and no answer said whether the event is stored. */
  | { readonly status: "unknown"; readonly id: string; readonly error: string };

/** An event that was refused, perhaps one of an earlier page whose promise is gone. */
export interface Refused {
  readonly id: string;
  readonly event: unknown;
  readonly error: string;
}

export interface ProducerOptions {
  /** Base URL of the gateway. */
  readonly url: string;
  readonly station: string;
  /** A browser key; or else `getToken`. */
  readonly apiKey?: string;
  /**
   * Gives an access token, a fresh one each time it is asked: first, and after the gateway has refused the last. Where it
   * gives none within 15 s it is asked again later.
   */
  readonly getToken?: () => string | Promise<string>;
  /** Events in one request; default 100. */
  readonly maxBatchEvents?: number;
  /** Bytes of events in one request; default 256 KiB. A larger event goes alone. */
  readonly maxBatchBytes?: number;
  /** Milliseconds that an event waits for others; default 1000. */
  readonly linger?: number;
  /** Events that may wait, of all pages of the site; default 10,000. Further ones are refused. */
  readonly maxQueued?: number;
  /** Milliseconds, the range of the first wait before a retry, which doubles with each; default 500. */
  readonly retryDelay?: number;
  /** The longest such range; default 30,000. */
  readonly maxRetryDelay?: number;
  /** Milliseconds after which a request counts as failed; default 30,000. */
  readonly timeout?: number;
  /** Called for each refused event, also for those of earlier pages. */
  readonly onRefused?: (refused: Refused) => void;
  /** Called for each attempt that failed and will be repeated, with what is known of the reason. */
  readonly onRetry?: (reason: string) => void;
}

export interface Producer<Event extends object> {
  /**
   * Queues an event: it survives from here on whatever the page does, where the browser lets us keep it. Never
   * rejects; resolves with the event's outcome, however long that takes.
   */
  send(event: Event): Promise<Outcome>;
  /** Sends what waits now, and resolves once each event sent so far by this page has its outcome. */
  flush(): Promise<void>;
  /** Tries once more to send what waits, keeps the rest, and lets go of the page. */
  close(): Promise<void>;
}

/** The public types: options, outcomes and the producer. */

/** The outcome of an event. */
export type Outcome =
  | {
      readonly status: "stored";
      readonly id: string;
      /** null, as the offset: the event is on the gateway's disk and goes to Kafka later. */
      readonly partition?: number | null;
      /** Decimal. */
      readonly offset?: string | null;
      /** Milliseconds since the epoch. */
      readonly timestamp?: number;
    }
  /** The event can't be stored; `error` says why. */
  | { readonly status: "refused"; readonly id: string; readonly error: string }
  /** The producer was closed before. The event stays in this browser, and the next producer sends it. */
  | { readonly status: "kept"; readonly id: string }
  /** The producer was closed before, the browser stores nothing, and no answer said whether the event is stored. */
  | { readonly status: "unknown"; readonly id: string; readonly error: string };

/** A refused event. An earlier page may have sent it. */
export interface Refused {
  readonly id: string;
  readonly event: unknown;
  readonly error: string;
}

export interface ProducerOptions {
  /** Base URL of the gateway. */
  readonly url: string;
  readonly station: string;
  /** A browser key. Alternative: `getToken`. */
  readonly apiKey?: string;
  /**
   * Returns a new access token. It is called at the first event, and after the gateway has refused a token. If it fails or
   * takes longer than 15 s, it is called again later.
   */
  readonly getToken?: () => string | Promise<string>;
  /** Maximum number of events in one request; default 100. */
  readonly maxBatchEvents?: number;
  /** Maximum bytes of events in one request; default 256 KiB. A larger event is sent alone. */
  readonly maxBatchBytes?: number;
  /** Milliseconds that an event waits for further events; default 1000. */
  readonly linger?: number;
  /** Maximum number of queued events, of all pages of the site; default 10,000. Further events are refused. */
  readonly maxQueued?: number;
  /** Range of the wait before the first retry, in milliseconds; it doubles with each failure. Default 500. */
  readonly retryDelay?: number;
  /** Maximum range; default 30,000. */
  readonly maxRetryDelay?: number;
  /** Milliseconds after which a request counts as failed; default 30,000. */
  readonly timeout?: number;
  /** Called for each refused event, also for those of earlier pages. */
  readonly onRefused?: (refused: Refused) => void;
  /** Called for each failed attempt that will be repeated. */
  readonly onRetry?: (reason: string) => void;
}

export interface Producer<Event extends object> {
  /**
   * Queues an event. The queue survives the page if the browser allows storage. Never rejects; resolves with the outcome of
   * the event, which can take days while the browser is offline.
   */
  send(event: Event): Promise<Outcome>;
  /** Sends the queued events now, and resolves when all events that this page has sent have outcomes. */
  flush(): Promise<void>;
  /** Tries once more to send the queued events, keeps the rest in the browser, and stops listening to the page. */
  close(): Promise<void>;
}

/** The public types of `subscribe`. */

export interface StationEvent<Value = unknown> {
  /** The position after this event. The gateway sends a long id only some times a second. */
  readonly id?: string;
  readonly partition: number;
  /** Decimal. */
  readonly offset: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: string | null;
  /** A repeated header is a list. */
  readonly headers: Readonly<Record<string, string | null | readonly (string | null)[]>>;
  /** JSON or a text; null for a tombstone. */
  readonly value: Value;
  /** The parts that are base64, such as `value` or `headers.x`. */
  readonly base64?: readonly string[];
  readonly tombstone?: true;
}

/** Lost events: retention removed them, or the station's topic is a new one. */
export interface Gap {
  readonly partition: number;
  /** Offset of the first lost event. */
  readonly from: string;
  /** Offset of the first event after the gap. */
  readonly to: string;
}

export interface SubscriptionState {
  /** `waiting`: for the next attempt. `closed`: after `close`, or after a refusal that no attempt changes. */
  readonly state: "connecting" | "open" | "waiting" | "closed";
  /** Why the connection ended. */
  readonly reason?: string;
  /** The status of a refusal. */
  readonly status?: number;
}

export interface SubscribeOptions<Value = unknown> {
  /** Base URL of the gateway. */
  readonly url: string;
  /** Name of a station or of a webhook source. */
  readonly station: string;
  /** Returns a new access token. It is called at the start, and after the gateway has refused a token. */
  readonly getToken: () => string | Promise<string>;
  /** `latest` (default), `earliest`, or a time: ISO 8601, or milliseconds since the epoch. */
  readonly from?: string | number;
  /** Filters such as `/user/id==17`. An event must match all of them. */
  readonly filter?: string | readonly string[];
  /** Continue after the event with this id. It wins over `from`. */
  readonly lastEventId?: string | undefined;
  /**
   * Called with one event at a time. The event counts as received once the returned promise resolves. After a rejection the
   * event comes again.
   */
  readonly onEvent: (event: StationEvent<Value>) => unknown;
  readonly onGap?: (gap: Gap) => unknown;
  readonly onState?: (state: SubscriptionState) => void;
  /** Shortest wait before a reconnect, in milliseconds; default 1000. */
  readonly retryDelay?: number;
  /** Longest wait before a reconnect, in milliseconds; default 30,000. `Retry-After` is added. */
  readonly maxRetryDelay?: number;
}

export interface Subscription {
  /** Id of the last received event; give it to the next `subscribe` to continue there. */
  readonly lastEventId: string | undefined;
  /** Ends the connection. `onEvent` is not called again. */
  close(): void;
}

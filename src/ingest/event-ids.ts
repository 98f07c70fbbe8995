/** The ids of events, by which a repeated event is recognised. */

/** The id of a call. An event's id is the id of its call and its place in the call. */
export interface CallId {
  /** Two calls with the same scope are the same call. */
  readonly scope: readonly string[];
  /** Milliseconds in which a repeated call stores nothing. */
  readonly windowMs: number;
  /** sha256 of the payload: a repeat with another payload is refused. undefined: the payload is part of the scope. */
  readonly payload?: Buffer;
  /** False: the events are stored without the check if their ids can't be checked in time. */
  readonly strict: boolean;
}

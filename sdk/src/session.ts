/** What everything that sends for one station shares. */
import type { Credentials } from "./credentials.ts";
import type { Pace } from "./pace.ts";
import type { Queue } from "./queue.ts";
import type { Register } from "./register.ts";
import type { ProducerOptions } from "./types.ts";

export interface Session {
  readonly options: ProducerOptions;
  /** Where its envelopes go. */
  readonly url: string;
  /** Of all that this browser keeps for it, and that its tabs share. */
  readonly name: string;
  readonly queue: Queue;
  readonly pace: Pace;
  readonly register: Register;
  readonly credentials: Credentials;
}

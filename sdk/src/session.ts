/** The state and the settings that all parts of one producer share. */
import type { Credentials } from "./credentials.ts";
import type { Pace } from "./pace.ts";
import type { Queue } from "./queue.ts";
import type { Register } from "./register.ts";
import type { ProducerOptions } from "./types.ts";

export interface Session {
  readonly options: ProducerOptions;
  /** URL of the beacon route. */
  readonly url: string;
  /** Name of the database, the lock and the channel, which all tabs with this station share. */
  readonly name: string;
  readonly queue: Queue;
  readonly pace: Pace;
  readonly register: Register;
  readonly credentials: Credentials;
}

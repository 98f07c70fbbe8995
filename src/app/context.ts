/** The parts of the running program that most functions of `src/app` need. It is complete when it is built. */
import type { KeyUnits } from "../auth/issuers/key-units.ts";
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { BodyReaders } from "../http/middleware/body/body.ts";
import type { Clock } from "../lib/clock.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { Health } from "../observability/health.ts";
import type { Log } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import type { SchemaRegistry } from "../registry/contract.ts";
import type { Decoder } from "../registry/decoder.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Questions } from "./questions.ts";
import type { TlsFiles } from "./read-tls.ts";
import type { ReloadControl } from "./reload-control.ts";

export type AppLog = Pick<Log, "logger" | "requestLog" | "levels" | "named" | "unfiltered">;

export interface AppContext {
  readonly settings: Settings;
  /** The pairs of the listeners with TLS. */
  readonly tls: TlsFiles;
  readonly clock: Clock;
  readonly log: AppLog;
  readonly metrics: Metrics;
  readonly health: Health;
  /** undefined: no collector is configured. */
  readonly tracing: Tracing | undefined;
  readonly lifecycle: Lifecycle;
  readonly questions: Questions;
  readonly reload: ReloadControl;
  /** The keys of `auth.issuers`. */
  readonly keyUnits: KeyUnits;
  readonly broker: Broker;
  /** undefined: no registry is configured. */
  readonly registry: SchemaRegistry | undefined;
  /** undefined: no registry is configured. */
  readonly decoder: Decoder | undefined;
  /** The budget for client data, shared by both listeners. */
  readonly memory: MemoryBudget;
  /** The part of `memory` for buffers of reading, answers that are being sent, and the newest events for streams. */
  readonly readingMemory: MemoryBudget;
  /** Readers of request bodies that use `memory`. */
  readonly readers: BodyReaders;
}

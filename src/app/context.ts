/** The parts of the running program that most functions of `src/app` need. It is complete when it is built. */
import type { Authentication } from "../auth/authentication.ts";
import type { Issuers } from "../auth/issuers/issuers.ts";
import type { KeyUnits } from "../auth/issuers/key-units.ts";
import type { Broker } from "../broker/broker.ts";
import type { SaslOptions } from "../broker/kafka/sign-in/sasl.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { BodyReaders } from "../http/middleware/body/body.ts";
import type { LoadedStation } from "../ingest/declare.ts";
import type { Clock } from "../lib/clock.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { StoredAudit } from "../observability/audit.ts";
import type { Health } from "../observability/health.ts";
import type { Log } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import type { SchemaRegistry } from "../registry/contract.ts";
import type { Decoder } from "../registry/decoder.ts";
import type { SpoolChannel } from "../spool/messages.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Questions } from "./questions.ts";
import type { TlsFiles } from "./read-tls.ts";
import type { ReloadControl } from "./reload-control.ts";
import type { OpenedProvider } from "./wire-provider.ts";

export type AppLog = Pick<Log, "logger" | "requestLog" | "levels" | "named" | "unfiltered" | "always">;

/** The client of the schema registry that some settings name. */
export interface OpenRegistry {
  readonly client: SchemaRegistry;
  /** Number of compiled schemas. */
  readonly schemas: () => number;
  /** Equal for equal settings and files: these settings can use the same client. */
  readonly key: string;
}

/** The decoder of the parts that outlive a reload. */
export interface DecodingInUse {
  /** Decodes with the registry that is in use at the time. */
  readonly ofRegistry: Decoder;
  /** undefined: there is no registry now. */
  readonly decoder: () => Decoder | undefined;
}

/** What the settings alone decide. A reload makes a new object. */
export interface Configured {
  readonly settings: Settings;
  /** The pairs of the listeners with TLS. */
  readonly tls: TlsFiles;
  readonly authentication: Authentication;
  /** undefined: the settings name no other issuers. */
  readonly issuers: Issuers | undefined;
  /** undefined: the settings name no identity provider for operators. */
  readonly provider: OpenedProvider | undefined;
  /** undefined: no registry is configured. */
  readonly registry: OpenRegistry | undefined;
  /** The declared stations. Empty without the ingest role. */
  readonly declared: readonly LoadedStation[];
}

/** The parts that live as long as the process. */
export interface LastingContext {
  /** What is in use now. Parts that outlive a reload read it at each use. */
  readonly inUse: { readonly now: Configured };
  readonly clock: Clock;
  readonly log: AppLog;
  readonly metrics: Metrics;
  readonly audit: StoredAudit;
  readonly health: Health;
  /** undefined: no collector is configured. */
  readonly tracing: Tracing | undefined;
  readonly lifecycle: Lifecycle;
  readonly questions: Questions;
  readonly reload: ReloadControl;
  /** The channel to the main process of the spool. undefined: this process is the only one of its pod, or there is no spool. */
  readonly spoolChannel: SpoolChannel | undefined;
  /** The keys of `auth.issuers`. */
  readonly keyUnits: KeyUnits;
  readonly broker: Broker;
  /** The sign-in of `broker.kafka.sasl`. undefined: the gateway does not sign in. */
  readonly kafkaSignIn: SaslOptions | undefined;
  /** The budget for client data, shared by both listeners. */
  readonly memory: MemoryBudget;
  /** The part of `memory` for buffers of reading, answers that are being sent, and the newest events for streams. */
  readonly readingMemory: MemoryBudget;
  /** Readers of request bodies that use `memory`. */
  readonly readers: BodyReaders;
}

/** The lasting parts, and the settings of one generation. The settings that need a restart are those of the start. */
export interface AppContext extends LastingContext {
  readonly settings: Settings;
  /** Decodes with the registry in use. undefined: the settings name no registry. */
  readonly decoder: Decoder | undefined;
}

/** The parts that live as long as the process, and that most functions of `src/app` need. */
import { VERSION } from "../config/version.ts";
import type { Settings } from "../config/schema/schema.ts";
import { bodyReaders } from "../http/middleware/body/body.ts";
import { createMemoryBudget } from "../lib/memory-budget.ts";
import { createHealth } from "../observability/health.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import type { LastingContext } from "./context.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { openAudit, type ProcessAudit } from "./wire-audit.ts";
import { CLASSIC_INSTEAD, createBroker } from "./wire-broker.ts";
import { openKafkaSignIn } from "./wire-kafka-sign-in.ts";
import { maxRecordBytesOf } from "./wire-ingest.ts";
import { openRetention, type OpenRetention } from "./wire-retention.ts";

/** Milliseconds for which the broker's health is cached. */
const HEALTH_CACHE = 500;

type Opened = Pick<
  LastingContext,
  "inUse" | "clock" | "log" | "metrics" | "reload" | "spoolChannel" | "questions" | "lifecycle" | "keyUnits"
>;

interface OpenedLasting extends LastingContext {
  readonly audit: ProcessAudit;
  readonly retention: OpenRetention;
}

/** Opens the broker. */
export const openLasting = async (opened: Opened): Promise<OpenedLasting> => {
  const { inUse, metrics, questions, lifecycle } = opened;
  const { settings } = inUse.now;
  questions.answerWith({ metrics: () => metrics.samples() });
  const memory = createMemoryBudget(() => inUse.now.settings.limits.memory);
  metrics.clientMemoryFrom(() => memory.usedBytes);
  const tracing = await openTracing(settings, lifecycle);
  const retention = openRetention(settings, opened);
  const kafkaSignIn = await openKafkaSignIn(settings, opened);
  const broker = await createBroker(settings, () => maxRecordBytesOf(inUse.now.settings), {
    retention: retention.options,
    sasl: kafkaSignIn,
    onClassicInstead: () => {
      opened.log.named("kafka").warn(CLASSIC_INSTEAD);
    },
  });
  await broker.open();
  lifecycle.onClose("broker", () => broker.close());
  const health = createHealth({
    check: (asks) => broker.check(asks),
    cacheMs: HEALTH_CACHE,
    now: () => performance.now(),
  });
  return {
    ...opened,
    ...{ health, tracing, broker, kafkaSignIn, memory, retention },
    audit: openAudit(settings, { ...opened, broker }),
    readingMemory: memory.part(settings.reading.maxBuffered),
    readers: bodyReaders(memory),
  };
};

/** undefined: no collector is configured, and OpenTelemetry is not loaded. */
const openTracing = async (
  { tracing: { endpoint } }: Settings,
  lifecycle: Lifecycle,
): Promise<Tracing | undefined> => {
  if (endpoint === undefined) return undefined;
  const { createOtlpTracing } = await import("../observability/tracing/otlp.ts");
  const tracing = createOtlpTracing({ endpoint, version: VERSION });
  lifecycle.onClose("tracing", () => tracing.close());
  return tracing;
};

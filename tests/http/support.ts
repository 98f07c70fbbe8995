/** Both apps on a broker in memory, put together as the program does it, and what tests ask of them. */
import { EventEmitter } from "node:events";
import type { Express } from "express";
import request from "supertest";
import { createAuthentication } from "../../src/auth/authentication.ts";
import type { Operator } from "../../src/auth/operators/operator.ts";
import type { Issuers } from "../../src/auth/issuers/issuers.ts";
import type { OperatorJwts } from "../../src/auth/operators/operators.ts";
import type { CertificateOptions } from "../../src/auth/certificates.ts";
import type { Limits, Principal, RenewPrincipal } from "../../src/auth/principal.ts";
import type { Broker, BrokerRecord } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import {
  createEventStreams,
  type StreamLimits as EventStreamLimits,
} from "../../src/consume/stream/streams.ts";
import { GatewayError } from "../../src/errors.ts";
import { type AppOptions, createApp } from "../../src/http/http-app.ts";
import { beaconRoute } from "../../src/http/handlers/stations/beacon.ts";
import { authRoutes } from "../../src/http/handlers/auth/routes.ts";
import { consoleRoutes, signInPage, type ConsoleFiles } from "../../src/http/handlers/console/routes.ts";
import { operatorStationRoutes } from "../../src/http/handlers/operator-stations/routes.ts";
import {
  frontRoute,
  gatewayRoute,
  type GatewayFacts,
  healthRoutes,
  metricsRoute,
  stationListRoute,
  statusRoute,
} from "../../src/http/handlers/operations/routes.ts";
import { reloadRoute, type Reloading } from "../../src/http/handlers/operations/reload.ts";
import { restProxyRoutes } from "../../src/http/handlers/rest-proxy/routes.ts";
import { createStreamFormats } from "../../src/http/handlers/stations/consume-stream.ts";
import { sessionRoutes } from "../../src/http/handlers/session/routes.ts";
import { type OfferedProvider, signInRoutes } from "../../src/http/handlers/sign-in/routes.ts";
import { stationRoutes } from "../../src/http/handlers/stations/routes.ts";
import { sessionCookies } from "../../src/http/session-cookie.ts";
import { callCounter, createIntake } from "../../src/http/intake.ts";
import { createLiveCalls, type LiveCalls } from "../../src/http/live-calls.ts";
import { bodyReaders, type BodyLimits } from "../../src/http/middleware/body/body.ts";
import type { Route } from "../../src/http/routes.ts";
import { createRates } from "../../src/ingest/limits.ts";
import { createBatcher } from "../../src/ingest/batcher/batcher.ts";
import { createProduce, type Produce } from "../../src/ingest/produce.ts";
import type { SchemaRegistry } from "../../src/registry/contract.ts";
import { createFindSchema, createRecordSchemas } from "../../src/ingest/schema/record-schemas.ts";
import { createStations, type Station } from "../../src/ingest/stations.ts";
import type { StreamLimits } from "../../src/ingest/stream/event-stream.ts";
import type { Home } from "../../src/home/home.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { createMemoryBudget, type MemoryBudget } from "../../src/lib/memory-budget.ts";
import { type AuditLine, createAudit } from "../../src/observability/audit.ts";
import { createHealth, type Health } from "../../src/observability/health.ts";
import type { RequestLog } from "../../src/observability/logger/request-lines.ts";
import type { Logger } from "../../src/observability/logger/logger.ts";
import type { Decoder } from "../../src/registry/decoder.ts";
import { createMetrics, type Metrics } from "../../src/observability/metrics.ts";
import { credentialsWith } from "./credentials.ts";
import { batchApi, createLocalHome, type LocalHome } from "../support/local-home.ts";

export { ADMIN_TOKEN, BROWSER_KEY, OPERATOR_TOKEN, PARTNER_KEY, VIEWER_TOKEN } from "./credentials.ts";

export const LIMIT = 64 * 1024;
const RECORD_LIMITS = {
  maxEventBytes: LIMIT,
  maxKeyBytes: 1024,
  maxHeaders: 20,
  maxHeaderBytes: 4096,
};

/** What `orders` asks of an event; real schemas have their own tests. */
const refusesBad: Station["validator"] = {
  kind: "json-schema",
  validate: (value, contentType) =>
    value.includes("bad")
      ? {
          status: "refused",
          error: new GatewayError("SCHEMA_REFUSED", {
            message: `Schema validation has failed: ${value.toString()}`,
          }),
        }
      : { status: "accepted", value, contentType },
};

const DECLARED: readonly Station[] = [
  { name: "plain", topic: "plain", key: undefined, validator: undefined },
  { name: "orders", topic: "shop.orders", key: "/id", validator: refusesBad },
  {
    ...{ name: "hidden", topic: "hidden", key: undefined, validator: undefined },
    once: { id: "header:x-event-id", windowMs: 60_000, strict: false },
  },
  { name: "missing-topic", topic: "nowhere", key: undefined, validator: undefined },
];

const NO_RELOAD: Reloading["reload"] = () => Promise.resolve({ status: "nothingToReload" });
const SETTINGS_IN_USE = { generation: 1, loadedAt: "2026-01-01T00:00:00.000Z", needsRestart: [] };

const FACTS: GatewayFacts = {
  version: "1.2.3",
  commit: "abc",
  roles: ["ingest"],
  broker: { kind: "memory", addresses: [] },
  viewersReadEvents: false,
  publicListener: () => ({ scheme: "http", host: "0.0.0.0", port: 4444 }),
};

/** Stand-ins for the console's files. */
const CONSOLE: ConsoleFiles = {
  page: "<title>console</title>",
  signIn: "<title>sign in</title><!--refusal--><!--provider-->",
  assets: new Map([["main.js", "export {};"]]),
};

const LOOKUP = { strategy: { key: "topic-name", value: "topic-name" }, autoRegister: true } as const;

export interface TestOptions extends Pick<AppOptions, "onlyErrors"> {
  readonly autoCreate?: boolean;
  readonly corsOrigins?: readonly string[];
  readonly bodyLimits?: BodyLimits;
  /** For bodies. */
  readonly memoryBytes?: number | (() => number);
  readonly deliveryTimeoutMs?: number;
  /** Further rows of the public app. */
  readonly routes?: readonly Route[];
  readonly broker?: Broker;
  readonly eventStreams?: Partial<EventStreamLimits>;
  readonly renew?: RenewPrincipal;
  /** Default: that of the authentication. */
  readonly renewOperator?: (operator: Operator) => Operator | undefined;
  /** Absent: there is no schema registry. */
  readonly decoder?: Decoder;
  /** For producing. Absent: there is no schema registry. */
  readonly registry?: Pick<SchemaRegistry, "find">;
  /** Declared beside the others; their topics are created. */
  readonly stations?: readonly Station[];
  readonly alwaysStatus200?: boolean;
  /** Absent: this gateway has no homes. */
  readonly home?: Pick<Home, "call">;
  readonly instances?: { readonly baseUri?: string; readonly answerMax?: number };
  readonly trustProxy?: number;
  readonly certificates?: readonly CertificateOptions[];
  readonly perAddress?: Limits;
  /** Milliseconds, for the limits. */
  readonly rateClock?: () => number;
  /** Events of one call. */
  readonly maxEvents?: number;
  readonly streamLimits?: Partial<StreamLimits>;
  /** Of streams. */
  readonly clock?: Clock;
  readonly reload?: Reloading["reload"];
  /** The URL of the operators' listener in browsers. */
  readonly publicUrl?: string;
  /** Absent: the settings name no identity provider. */
  readonly provider?: OfferedProvider;
  /** JWTs of the operators' identity provider. Absent: they are no credential. */
  readonly operatorJwts?: OperatorJwts;
  /** Issuers of clients' tokens. Absent: only the gateway itself issues tokens. */
  readonly otherIssuers?: Issuers;
  /** Default: stores the events in the broker, and checks no ids. */
  readonly produce?: Produce;
  /** The topic of the audit entries. */
  readonly reservedTopic?: string;
}

const DEFAULT_OPTIONS = {
  autoCreate: false,
  bodyLimits: { maxBytes: LIMIT, timeoutMs: 5000 },
  maxEvents: 1000,
  perAddress: {},
};

export interface TestGateway {
  readonly app: Express;
  readonly admin: Express;
  readonly broker: Broker;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly home: LocalHome;
  readonly live: LiveCalls<Principal>;
  readonly operatorsLive: LiveCalls<Operator>;
  /** For bodies. */
  readonly memory: MemoryBudget;
  /** Emits "pull" with the promise of each call of consume/batch. */
  readonly pulls: EventEmitter;
  /** Ends the streams, as the program's end does. */
  readonly stopStreams: () => void;
  /** Audit lines so far. */
  readonly audited: readonly AuditLine[];
  /** Lines logged so far, with their level. */
  readonly lines: readonly Record<string, unknown>[];
  readonly token: (username?: string) => Promise<string>;
  /** Every record of a topic. */
  records(topic: string): Promise<readonly BrokerRecord[]>;
}

const stationsOf = ({ stations = [] }: TestOptions) => ({
  declared: [...DECLARED, ...stations],
  topics: ["plain", "shop.orders", "hidden", ...stations.map(({ topic }) => topic)],
});

const certificatesOf = ({ certificates = [] }: TestOptions) => ({ certificates });

const schemasOf = ({ registry }: TestOptions) => ({
  schemas: registry && createRecordSchemas({ registry, ...LOOKUP }),
  findSchema: registry && createFindSchema({ registry, ...LOOKUP }),
});

export const createTestGateway = async (options: TestOptions = {}): Promise<TestGateway> => {
  const broker = options.broker ?? createMemoryBroker({ partitions: 1 });
  const { declared, topics } = stationsOf(options);
  for (const name of topics) await broker.ensureTopic({ name, partitions: 1 });
  const metrics = createMetrics();
  const { logger, requestLog, lines } = recordingLogger();
  const health = createHealth({ check: () => broker.check(), cacheMs: 0, now: Date.now });
  const authentication = createAuthentication({
    ...credentialsWith(options.provider),
    ...certificatesOf(options),
    operatorJwts: options.operatorJwts,
    otherIssuers: options.otherIssuers,
  });
  const { autoCreate, bodyLimits, maxEvents, perAddress } = { ...DEFAULT_OPTIONS, ...options };
  const stations = createStations({ declared, autoCreate, broker, maxRecordBytes: LIMIT });
  const batcher = createBatcher({
    broker,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 5000,
    maxBufferedBytes: 64 * 1024 * 1024,
    maxAppendRecords: 1000,
    maxAppendBytes: 900_000,
  });
  const { schemas, findSchema } = schemasOf(options);
  const { reservedTopic } = options;
  const { produce } = {
    produce: createProduce({
      batcher,
      stations,
      schemas,
      now: Date.now,
      reservedTopic,
      ...RECORD_LIMITS,
    }),
    ...options,
  };
  const { decoder } = options;
  const home = createLocalHome(broker, [batchApi(options.decoder)]);
  const pulls = new EventEmitter();
  const watched: LocalHome = {
    ...home,
    call: (group, call) => {
      const calling = home.call(group, call);
      pulls.emit("pull", calling);
      return calling;
    },
  };
  const memory = memoryOf(options);
  const { clock = systemClock } = options;
  const readBody = bodyReaders(memory)(bodyLimits);
  const shared = {
    guard: authentication,
    bodyLimits,
    trustProxy: options.trustProxy ?? 0,
    logger,
    ...{ requestLog, onlyErrors: options.onlyErrors },
    metrics,
  };
  const audited: AuditLine[] = [];
  const audit = createAudit({ write: (line) => void audited.push(line), now: Date.now });
  const rates = createRates({
    perAddress,
    maxDebtMs: 60_000,
    now: options.rateClock ?? (() => performance.now()),
  });
  const stopping = new AbortController();
  const live = createLiveCalls({ ...authentication, ...options }.renew);
  const operatorsLive = createLiveCalls({ ...authentication, ...options }.renewOperator);
  const producing = {
    stations,
    intake: createIntake({ produce, rates, maxEventBytes: LIMIT }),
    readBody,
    contentLimits: { maxDepth: 64 },
    maxEvents,
    callWindow: 60_000,
    countCall: callCounter(rates),
    streams: {
      limits: {
        idleTimeout: 30_000,
        maxAge: 3_600_000,
        maxUnanswered: 100,
        maxUnansweredBytes: 1 << 20,
        ...options.streamLimits,
      },
      clock,
      live,
      stopping: stopping.signal,
    },
  };
  const eventStreams = createEventStreams({
    ...{ broker, metrics, clock: producing.streams.clock, stopping: stopping.signal },
    memory: createMemoryBudget(64 << 20),
    limits: {
      ...{ heartbeat: 15_000, maxAge: 3_600_000, perPrincipal: 2, maxStreams: 3 },
      ...{ ring: 1 << 20, catchUps: 2 },
      ...options.eventStreams,
    },
    onError: () => undefined,
  });
  const app = createApp({
    ...shared,
    guard: { ...authentication, countCall: callCounter(rates) },
    routes: [
      ...stationRoutes({
        ...producing,
        reading: { home: watched, clock, live, answerMax: 60_000, stopping: stopping.signal },
        ...{ eventStreams, decoder, formats: createStreamFormats(decoder) },
        sources: new Map([["github", "hidden"]]),
      }),
      beaconRoute({ ...producing, ...authentication }),
      ...restProxyRoutes({
        ...producing,
        broker,
        listed: { declared, autoCreate, broker },
        findSchema,
        maxEntries: 5,
        maxHeaders: RECORD_LIMITS.maxHeaders,
        alwaysStatus200: options.alwaysStatus200 ?? false,
        instances: options.home && {
          stopping: stopping.signal,
          home: options.home,
          ...{ clock: systemClock, live, answerMax: 60_000, requestTimeout: 1000 },
          hasRegistry: decoder !== undefined,
          ...options.instances,
        },
      }),
      ...authRoutes({ sessions: authentication.sessions, readBody, audit }),
      statusRoute,
      ...healthRoutes(health),
      ...(options.routes ?? []),
    ],
    unknownPaths: "client",
    cors: { origins: options.corsOrigins ?? ["*"] },
  });
  const offered = offeredBy(options);
  const cookies = sessionCookies(options.publicUrl);
  const admin = createApp({
    ...shared,
    guard: { ...authentication, audit, publicUrl: options.publicUrl },
    routes: [
      ...healthRoutes(health),
      metricsRoute(metrics),
      stationListRoute({ declared: DECLARED, autoCreate, broker }),
      gatewayRoute(FACTS, broker, { status: () => SETTINGS_IN_USE }),
      reloadRoute({ reload: NO_RELOAD, ...options }),
      ...operatorStationRoutes({
        ...{ stations, produce, broker, readBody, eventStreams, decoder },
        contentLimits: producing.contentLimits,
        eventsRole: () => "operator",
        live: operatorsLive,
      }),
      ...sessionRoutes({
        signInOperator: authentication.signInOperator,
        ...{ cookies, readBody, audit },
        endSessionUrl: offered.endSessionUrl,
      }),
      ...signInRoutes({
        provider: options.provider,
        openSession: authentication.openSession,
        cookies,
        audit,
      }),
      ...consoleRoutes({ files: CONSOLE, front: frontRoute({ version: "1.2.3", commit: "abc" }, broker) }),
    ],
    errorPage: signInPage(CONSOLE, offered.label),
    unknownPaths: "admin",
  });
  return {
    ...{ app, admin, broker },
    stopStreams: () => {
      stopping.abort();
    },
    ...{ health, metrics, home, live, operatorsLive, memory, pulls, lines, audited },
    token: async (username = "root") => {
      const answer = await request(app)
        .post("/auth/authenticate")
        .send({ username, password: `${username}-password` });
      return (answer.body as { jwt: string }).jwt;
    },
    records: (topic) => readAll(broker, topic),
  };
};

const offeredBy = ({ provider }: TestOptions) => ({
  label: provider?.label,
  endSessionUrl: provider?.signIn.endSessionUrl,
});

const memoryOf = ({ memoryBytes = 1 << 27 }: TestOptions): MemoryBudget => createMemoryBudget(memoryBytes);

const recordingLogger = (): {
  logger: Logger;
  requestLog: RequestLog;
  lines: Record<string, unknown>[];
} => {
  const lines: Record<string, unknown>[] = [];
  const at =
    (level: string) =>
    (line: object): void => {
      lines.push({ level, ...line });
    };
  const logger = {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
  };
  const requestLog: RequestLog = (level, fields) => void lines.push({ level, ...fields });
  return { logger, requestLog, lines };
};

const readAll = async (broker: Broker, topic: string): Promise<readonly BrokerRecord[]> => {
  const marks = await broker.watermarks(topic);
  const expected = marks.reduce((sum, { low, high }) => sum + Number(high - low), 0);
  const records: BrokerRecord[] = [];
  if (expected === 0) return records;
  await new Promise<void>((resolve, reject) => {
    broker
      .subscribe(
        { topics: [topic], from: "earliest" },
        {
          onRecords: (some) => {
            records.push(...some);
            if (records.length >= expected) resolve();
          },
        },
      )
      .catch(reject);
  });
  return records;
};

/** A broker whose appends end as the test says. */
export const brokenBroker = (append: Broker["append"]): Broker => ({
  ...createMemoryBroker({ partitions: 1 }),
  append,
});

/** The home of readers' groups: the slots of this process. The other gateways on this Kafka call it at the peer port. */
import type { Settings } from "../config/schema/schema.ts";
import type { HeldSlotLog, LivingRecords, SlotService } from "../home/contract.ts";
import { createHome, type Home } from "../home/home.ts";
import { LocalSlotLog } from "../home/local-slot-log.ts";
import { createPeerClient } from "../home/peers/peer-client.ts";
import type { Peer, Peers } from "../home/peers/peers.ts";
import { SlotLogWriter } from "../home/slot-log.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { ReadingMetrics } from "../observability/reading-metrics.ts";
import type { AppContext, AppLog } from "./context.ts";
import { createFaultLog, seldom } from "./fault-log.ts";
import { hasPeerKeys, hasPeers, type PeerPort } from "./peer-port.ts";

/** A group's name decides its slot, so this number never changes. */
const SLOTS = 60;
const COMPACTION_LAG_MS = 3_600_000;

type HomeContext = Pick<
  AppContext,
  "settings" | "broker" | "clock" | "metrics" | "readingMemory" | "lifecycle"
> & {
  readonly log: Pick<AppLog, "logger">;
};

/** Makes what the slots are for. It may call `holds` only when it serves. */
export type CreateSlotService = (home: Pick<Home, "holds" | "slotOf" | "isMember">) => SlotService;

/** The home of this process, which outlives a reload. */
export interface HomeKeeper {
  /** undefined: these settings let no client read with a group. The home need not have started. */
  homeFor(settings: Settings): Home | undefined;
  /** Takes these settings into use. Starts the home in the background if it is needed for the first time. */
  use(settings: Settings): void;
  /** Hands the slots over to other gateways. */
  drain(): Promise<void>;
}

/**
 * Opens the peer port and joins the group of the gateways, if a client can read with a group. This goes on in the background,
 * because Kafka may be unavailable. `lifecycle` hands the slots over to other gateways. Rejects with SETTINGS_INVALID if this
 * process can't listen at `reading.peer.host`.
 */
export const openHome = async (
  context: HomeContext,
  port: PeerPort,
  createService: CreateSlotService,
): Promise<HomeKeeper> => {
  const { lifecycle, log } = context;
  let parts: HomeParts | undefined;
  let started: Promise<void> | undefined;
  const ending = new AbortController();

  const homeFor = (settings: Settings): HomeParts | undefined => {
    if (!hasPeerKeys(settings) || !mayRead(settings)) return undefined;
    return (parts ??= createParts(context, port, createService));
  };
  const use = (settings: Settings): void => {
    port.use(settings);
    const used = homeFor(settings);
    if (used !== undefined && !ending.signal.aborted)
      started ??= start(context, { port, home: used.home }, ending.signal);
  };

  lifecycle.onClose("home", async () => {
    ending.abort();
    await parts?.home.drain();
    await started;
    await parts?.peers.close();
  });
  const { settings } = context;
  if (!hasPeerKeys(settings)) {
    log.logger.info(
      "the peer port is closed, and no client can read with a group: there is no auth.accessToken.secret, no API key of kind server and no reading.peer.secret",
    );
  }
  if (homeFor(settings) !== undefined) await port.openAtHost();
  use(settings);
  return {
    homeFor: (wanted) => homeFor(wanted)?.home,
    use,
    drain: async () => {
      await parts?.home.drain();
    },
  };
};

const mayRead = ({ auth }: Settings): boolean =>
  [...auth.accounts, ...auth.apiKeys, ...auth.issuers, ...auth.certificates].some(
    ({ consume }) => consume.length > 0,
  );

interface HomeParts {
  readonly home: Home;
  readonly peers: Peers;
}

const createParts = (context: HomeContext, port: PeerPort, createService: CreateSlotService): HomeParts => {
  const { settings, broker, clock, log, metrics, readingMemory: memory } = context;
  const { reading } = settings;
  const peers = observed(
    createPeerClient({ keys: port.keys, clock, memory }),
    metrics,
    refusalLog(log.logger, clock),
  );
  const service = createService({
    holds: (slot) => home.holds(slot),
    slotOf: (name) => home.slotOf(name),
    isMember: () => home.isMember(),
  });
  const home: Home = createHome<HeldSlotLog, LivingRecords>({
    ...{ broker, clock, peers },
    service: countingMoves(service, () => {
      metrics.homeMoved();
    }),
    topic: {
      name: reading.topic,
      partitions: SLOTS,
      compacted: true,
      minCompactionLagMs: COMPACTION_LAG_MS,
      logAppendTime: true,
    },
    group: reading.topic.slice(1),
    createLog: (options) => (hasPeers(context) ? new SlotLogWriter(options) : new LocalSlotLog(options)),
    sessionTimeout: reading.sessionTimeout,
    address: () => port.address,
    onError: createFaults({ log, clock }),
  });
  port.serve(home);
  return { home, peers };
};

/** Never rejects. */
const start = async (
  context: HomeContext,
  { port, home }: { readonly port: PeerPort; readonly home: Home },
  signal: AbortSignal,
): Promise<void> => {
  await port.open(signal);
  try {
    if (!signal.aborted) await home.start();
  } catch (err) {
    context.log.logger.error(
      { err },
      "clients can't read with groups: the topic of reading.topic can't be used",
    );
  }
};

const createFaults = ({ log, clock }: Pick<HomeContext, "log" | "clock">) =>
  createFaultLog(log.logger, clock, "a fault of the readers' groups; the gateway tries again");

/** A process also refuses calls for a short time after it has got a new id. */
const refusalLog = (logger: Logger, clock: Clock): ((peer: Peer) => void) => {
  const isDue = seldom(clock);
  return ({ address }) => {
    if (!isDue("refused")) return;
    logger.warn(
      { address },
      "another gateway refused a call: if this goes on, compare the secrets and the clocks of the gateways",
    );
  };
};

const observed = (peers: Peers, metrics: ReadingMetrics, onRefused: (peer: Peer) => void): Peers => ({
  ...peers,
  call: async (to, slot, call) => {
    const began = performance.now();
    const ended = (outcome: Parameters<ReadingMetrics["callForwarded"]>[0]): void => {
      metrics.callForwarded(outcome, (performance.now() - began) / 1000);
    };
    try {
      const answer = await peers.call(to, slot, call);
      if (answer === "refused") onRefused(to);
      if (typeof answer === "object") ended("answered");
      else ended(answer === "unsent" || answer === "silent" ? "unreachable" : answer);
      return answer;
    } catch (error) {
      ended(call.signal.aborted ? "aborted" : "failed");
      throw error;
    }
  },
});

/** Calls `moved` for each slot that the service opens. A slot is opened again without a move if its log was fenced again. */
export const countingMoves = <Log, Content>(
  service: SlotService<Log, Content>,
  moved: () => void,
): SlotService<Log, Content> => {
  const open = new Set<number>();
  return {
    names: (slot) => service.names(slot),
    prepare: (slot, names) => service.prepare(slot, names),
    abandon: (slot) => service.abandon(slot),
    serve: (slot, call) => service.serve(slot, call),
    open: async (slot, log, records) => {
      if (!open.has(slot)) moved();
      open.add(slot);
      await service.open(slot, log, records);
    },
    close: async (slot, reason) => {
      open.delete(slot);
      await service.close(slot, reason);
    },
  };
};

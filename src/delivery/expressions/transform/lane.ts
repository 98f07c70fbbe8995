/** A lane: a child process with a queue of jobs. `docs/decisions/0013-filters-and-transforms.md` has its states. */
import { GatewayError } from "../../../errors.ts";
import type { Clock } from "../../../lib/clock.ts";
import { createFifo, type Fifo } from "../../../lib/fifo.ts";
import { formatDuration, formatSize } from "../../../lib/units.ts";
import type { Child, ChildEnd, StartChild } from "./child-process.ts";

export interface SandboxLimits {
  /** Milliseconds of a transform. */
  readonly timeout: number;
  /** Bytes of the heap of a child process. */
  readonly memory: number;
}

export type JobEnd =
  | { readonly status: "done"; readonly json: Buffer }
  | { readonly status: "failed"; readonly reason: string }
  /** The transform has exceeded a limit. */
  | { readonly status: "stopped"; readonly reason: string }
  /** The expression was stopped while the job was waiting. */
  | { readonly status: "paused" };

export interface Job {
  readonly frame: () => readonly Buffer[];
  /** Size of the frame, about. */
  readonly bytes: number;
  readonly isPaused: () => boolean;
  readonly settle: (end: JobEnd) => void;
  readonly reject: (error: GatewayError) => void;
}

export interface Lane {
  run(job: Job): void;
  /** Rejects all jobs. */
  close(): void;
}

export interface LaneOptions {
  readonly limits: SandboxLimits;
  readonly startChild: StartChild;
  readonly clock: Clock;
}

/** What is with a child at the same time. */
const MAX_SENT = { jobs: 16, bytes: 1024 ** 2 };
const START_MS = 10_000;
/** A child that doesn't get the CPU has this many times the limit. */
const WALL_FACTOR = 10;
/** The system's count of CPU lags behind. */
const CPU_SHARE = 0.8;

/** The bytes of an answer before its content: the kind, and the milliseconds of CPU that the child has used. */
const HEAD_BYTES = 5;

interface Started {
  readonly child: Child;
  isReady: boolean;
  /** Milliseconds of CPU at the last answer. */
  cpuMs: number;
}

interface Sent extends Job {
  /** The child has ended once while the job was running, for an unknown reason. */
  isAgain?: boolean;
}

/** The state of one lane, shared by the functions of this file. */
interface LaneState extends LaneOptions {
  waiting: Fifo<Sent>;
  /** The first one is the running job. */
  readonly sent: Sent[];
  started: Started | undefined;
  stopTimer: () => void;
  isClosed: boolean;
}

const hasRoomFor = ({ sent }: LaneState, { bytes }: Sent): boolean => {
  const sum = sent.reduce((total, job) => total + job.bytes, bytes);
  return sent.length === 0 || (sent.length < MAX_SENT.jobs && sum <= MAX_SENT.bytes);
};

/** Sends the jobs for which the child has room, or starts a child for them. */
const pump = (lane: LaneState): void => {
  const { started, waiting } = lane;
  if (started === undefined) {
    if (waiting.size > 0) start(lane);
    return;
  }
  for (let job = waiting.peek(); started.isReady && job !== undefined; job = waiting.peek()) {
    const isPaused = job.isPaused();
    if (!isPaused && !hasRoomFor(lane, job)) return;
    waiting.shift();
    if (isPaused) job.settle({ status: "paused" });
    else send(lane, started, job);
  }
};

const send = (lane: LaneState, to: Started, job: Sent): void => {
  lane.sent.push(job);
  to.child.send(job.frame());
  if (lane.sent.length === 1) beginTime(lane, to);
};

/** Begins the time of the running job. */
const beginTime = (lane: LaneState, of: Started): void => {
  lane.stopTimer();
  const { limits, clock, sent } = lane;
  const [running] = sent;
  if (running === undefined) return;
  const startedAt = clock.monotonic();
  const wait = (ms: number): void => {
    lane.stopTimer = clock.after(ms, () => {
      const received = of.child.received();
      // Answers may have arrived, if this process itself is late.
      setImmediate(() => {
        if (lane.started !== of || sent[0] !== running) return;
        const left = of.child.received() > received ? limits.timeout : leftMs(lane, of, startedAt);
        if (left > 0) wait(left);
        else stopRunning(lane, `it has run for longer than ${formatDuration(limits.timeout)}`);
      });
    });
  };
  wait(limits.timeout);
};

/** Milliseconds that the running job may still take. */
const leftMs = ({ limits, clock }: LaneState, { child, cpuMs }: Started, startedAt: number): number => {
  const total = child.cpuMs();
  const isOver = clock.monotonic() - startedAt >= limits.timeout * WALL_FACTOR;
  if (total === undefined || isOver) return 0;
  const used = total - cpuMs;
  return used >= limits.timeout * CPU_SHARE ? 0 : limits.timeout - Math.max(0, used);
};

/** Ends the child. The jobs that it had come first in the queue. */
const discard = (lane: LaneState): void => {
  lane.stopTimer();
  lane.started?.child.kill();
  lane.started = undefined;
  const { waiting } = lane;
  lane.waiting = createFifo();
  for (const job of lane.sent.splice(0)) lane.waiting.push(job);
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) lane.waiting.push(job);
};

const stopRunning = (lane: LaneState, reason: string): void => {
  lane.sent.shift()?.settle({ status: "stopped", reason });
  discard(lane);
  start(lane);
};

const rejectAll = (lane: LaneState, error: GatewayError): void => {
  discard(lane);
  const { waiting } = lane;
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) job.reject(error);
};

/** The child has ended by itself, or isn't ready in time. */
const ended = (lane: LaneState, child: Started, end: ChildEnd): void => {
  if (lane.started !== child) return;
  const [running] = lane.sent;
  if (!child.isReady) {
    rejectAll(lane, new GatewayError("INTERNAL", { message: "The process of transforms can't be started" }));
  } else if (running === undefined) {
    discard(lane);
    pump(lane);
  } else if (end === "memory" || running.isAgain === true) {
    stopRunning(lane, `it has needed more memory than ${formatSize(lane.limits.memory)}`);
  } else {
    running.isAgain = true;
    discard(lane);
    pump(lane);
  }
};

const answered = (lane: LaneState, child: Started, frame: Buffer): void => {
  if (lane.started !== child) return;
  const kind = frame.toString("latin1", 0, 1);
  const content = frame.subarray(HEAD_BYTES);
  child.cpuMs = frame.readUInt32BE(1);
  child.isReady = true;
  if (kind === "d") lane.sent.shift()?.settle({ status: "done", json: content });
  if (kind === "f") lane.sent.shift()?.settle({ status: "failed", reason: content.toString("utf8") });
  beginTime(lane, child);
  pump(lane);
};

const start = (lane: LaneState): void => {
  if (lane.isClosed) return;
  const child = lane.startChild(lane.limits.memory, {
    onFrame: (frame) => {
      answered(lane, started, frame);
    },
    onEnd: (end) => {
      ended(lane, started, end);
    },
  });
  const started: Started = { child, isReady: false, cpuMs: 0 };
  lane.started = started;
  lane.stopTimer = lane.clock.after(START_MS, () => {
    ended(lane, started, "other");
  });
};

export const createLane = (options: LaneOptions): Lane => {
  const lane: LaneState = {
    ...options,
    waiting: createFifo(),
    sent: [],
    started: undefined,
    stopTimer: () => undefined,
    isClosed: false,
  };
  return {
    run: (job) => {
      if (lane.isClosed) {
        job.reject(new GatewayError("SHUTTING_DOWN"));
        return;
      }
      lane.waiting.push({ ...job });
      pump(lane);
    },
    close: () => {
      lane.isClosed = true;
      rejectAll(lane, new GatewayError("SHUTTING_DOWN"));
    },
  };
};

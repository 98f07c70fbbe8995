/**
 * Asks the registry: at most 16 requests in flight, one request for each question, and the state of the registry. While the
 * registry is unavailable, requests do not queue, and the newest look-up is repeated every second until it is answered.
 */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { createSingleFlight } from "../lib/single-flight.ts";
import type { Connection, NoAnswer } from "./connection.ts";
import type { Outcome, RegistryRequest } from "./requests.ts";

export type Answered<T> = Exclude<Outcome<T>, { readonly status: "unavailable" }>;

export interface LineObserver {
  /** A request has ended. */
  readonly asked: (
    operation: RegistryRequest<unknown>["operation"],
    outcome: Outcome<unknown>["status"],
    seconds: number,
  ) => void;
  /** The registry has become unavailable. */
  readonly onUnavailable: (reason: string) => void;
  /** The registry answers again. Only called after `onUnavailable`. */
  readonly onBack: () => void;
}

export interface LineOptions extends LineObserver {
  readonly connection: Connection;
  readonly clock: Clock;
}

export interface Line {
  /** Rejects with REGISTRY_UNAVAILABLE. */
  ask<T>(request: RegistryRequest<T>): Promise<Answered<T>>;
  /** The newest answer, or its absence, says that the registry is unavailable. */
  readonly isDown: boolean;
  /** From now on there are no repeated look-ups and no reports. */
  retire(): void;
  close(): Promise<void>;
}

/** Requests in flight. */
export const MAX_IN_FLIGHT = 16;
/** Milliseconds between two requests that find out whether the registry answers again. */
const PROBE_MS = 1000;
/** Maximum number of warnings in a minute. */
const MAX_WARNINGS = 5;
const MINUTE_MS = 60_000;

export const unavailable = (about: string, reason: string, cause?: unknown): GatewayError =>
  new GatewayError("REGISTRY_UNAVAILABLE", {
    message: `${about}: the schema registry is unavailable (${reason})`,
    cause,
  });

export const createLine = (options: LineOptions): Line => {
  const { connection, asked } = options;
  const turns = createSemaphore({ permits: MAX_IN_FLIGHT, maxWaiting: Infinity });
  const once = createSingleFlight<unknown>();
  const state = createState(options, (request) => void turns.tryRun(() => send(request)));
  let inFlight = 0;

  const send = async <T>(request: RegistryRequest<T>): Promise<Outcome<T>> => {
    const began = performance.now();
    inFlight += 1;
    state.asking(request);
    const outcome = await connection.send(request).then(
      (answer) => request.read(answer),
      (error: unknown): Outcome<T> => ({
        status: "unavailable",
        reason: (error as NoAnswer).message,
        isOutage: true,
      }),
    );
    inFlight -= 1;
    asked(request.operation, outcome.status, (performance.now() - began) / 1000);
    state.ended(outcome);
    return outcome;
  };

  const take = async <T>(request: RegistryRequest<T>): Promise<Answered<T>> => {
    const { outages } = state;
    if (state.isDown && inFlight >= MAX_IN_FLIGHT) throw unavailable(request.about, state.reason);
    const outcome = await turns.tryRun(async () => {
      // The registry has become unavailable while the request was queued.
      if (state.outages !== outages) throw unavailable(request.about, state.reason);
      return send(request);
    });
    if (outcome === undefined || outcome.status === "unavailable")
      throw unavailable(request.about, outcome?.reason ?? "too many requests wait");
    return outcome;
  };

  return {
    ask: <T>(request: RegistryRequest<T>) =>
      once(keyOf(request), () => take(request)) as Promise<Answered<T>>,
    get isDown() {
      return state.isDown;
    },
    retire: () => {
      state.close();
    },
    close: async () => {
      state.close();
      await connection.close();
    },
  };
};

const keyOf = ({ method, path, body = "" }: RegistryRequest<unknown>): string => `${method} ${path} ${body}`;

interface State {
  readonly isDown: boolean;
  readonly reason: string;
  /** Number of outages that began. */
  readonly outages: number;
  asking(request: RegistryRequest<unknown>): void;
  ended(outcome: Outcome<unknown>): void;
  close(): void;
}

/** One warning for each outage, also for a registry that fails and answers by turns. */
const createReport = ({ clock, onUnavailable, onBack }: LineOptions) => {
  let isWarned = false;
  let warnedAt: readonly number[] = [];
  return {
    down: (reason: string): void => {
      const now = clock.now();
      warnedAt = warnedAt.filter((at) => now - at < MINUTE_MS);
      if (isWarned || warnedAt.length >= MAX_WARNINGS) return;
      isWarned = true;
      warnedAt = [...warnedAt, now];
      onUnavailable(reason);
    },
    up: (): void => {
      if (isWarned) onBack();
      isWarned = false;
    },
  };
};

const createState = (options: LineOptions, probe: (request: RegistryRequest<unknown>) => void): State => {
  const report = createReport(options);
  let isDown = false;
  let isClosed = false;
  let reason = "";
  let outages = 0;
  let newest: RegistryRequest<unknown> | undefined;
  let cancelProbe: (() => void) | undefined;

  const scheduleProbe = (): void => {
    if (newest === undefined) return;
    const request = newest;
    cancelProbe ??= options.clock.after(PROBE_MS, () => {
      cancelProbe = undefined;
      probe(request);
    });
  };

  const ended = (outcome: Outcome<unknown>): void => {
    if (isClosed) return;
    if (outcome.status !== "unavailable") {
      isDown = false;
      cancelProbe?.();
      cancelProbe = undefined;
      report.up();
    } else if (outcome.isOutage) {
      if (!isDown) outages += 1;
      isDown = true;
      ({ reason } = outcome);
      report.down(reason);
      scheduleProbe();
    }
  };

  return {
    get isDown() {
      return isDown;
    },
    get reason() {
      return reason;
    },
    get outages() {
      return outages;
    },
    asking: (request) => {
      // A registration must not be repeated unasked.
      if (request.operation !== "register") newest = request;
    },
    ended,
    close: () => {
      isClosed = true;
      cancelProbe?.();
    },
  };
};

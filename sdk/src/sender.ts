/** Batches out of the queue, and what their answers do to it. */
import type { Entry } from "./entry.ts";
import type { Session } from "./session.ts";
import { type Answer, envelope, post, type Result } from "./transport.ts";
import type { Outcome } from "./types.ts";

export interface Sender {
  /** Sends the oldest batch and waits for its answer; false: there is none. Never rejects. */
  readonly sendBatch: () => Promise<boolean>;
  /** Does with the queue what an answer says of these entries. */
  readonly react: (entries: readonly Entry[], answer: Answer) => Promise<void>;
}

export const createSender = ({ options, url, queue, pace, register, credentials }: Session): Sender => {
  const { onRetry, maxBatchEvents = 100, maxBatchBytes = 262_144, timeout } = options;
  let most = maxBatchEvents;

  const failed = ({ status, error, retryAfter }: Answer): void => {
    pace.failed(retryAfter);
    if (retryAfter !== undefined) register.announceHold(pace.heldUntil());
    onRetry?.(`${status} ${error}`);
  };

  const conclude = async (entries: readonly Entry[], results: readonly Result[]): Promise<void> => {
    const outcomes = entries.flatMap(({ id }, i) => outcomeOf(id, results[i]));
    await queue.remove(outcomes.map(({ id }) => id));
    register.settle(outcomes, entries);
  };

  /** Refused as a whole: halves tell the event that is at fault from the others. */
  const halve = async (entries: readonly Entry[], { error }: Answer): Promise<void> => {
    most = Math.max(1, entries.length >> 1);
    if (entries.length === 1) await conclude(entries, [{ status: "refused", error }]);
  };

  const react = async (entries: readonly Entry[], answer: Answer): Promise<void> => {
    const { status } = answer;
    const results = answer.results ?? (status === 200 ? entries.map(() => STORED) : undefined);
    if (results) {
      credentials.accepted();
      await conclude(entries, results);
      if (!results.every(isKnown)) {
        failed(answer);
        return;
      }
      most = Math.min(maxBatchEvents, most * 2);
      pace.succeeded();
    } else if (status === 400 || status === 413) await halve(entries, answer);
    else if (status !== 401 || !credentials.refused()) failed(answer);
  };

  return {
    react,
    sendBatch: async () => {
      const entries = await queue.first(most, maxBatchBytes);
      if (entries.length === 0) return false;
      try {
        await react(entries, await post(url, { body: envelope(entries, await credentials.get()) }, timeout));
      } catch (error) {
        failed({ status: 0, error: String(error) });
      }
      return true;
    },
  };
};

const STORED: Result = { status: "stored" };

const isKnown = ({ status }: Result): boolean => status !== "unknown";

/** None for an event whose fate nobody knows: it stays, and is sent again. */
const outcomeOf = (id: string, result: Result | undefined): Outcome[] => {
  if (result?.status === "stored") return [{ ...result, status: "stored", id }];
  if (result?.status === "refused") return [{ status: "refused", id, error: result.error ?? "refused" }];
  return [];
};

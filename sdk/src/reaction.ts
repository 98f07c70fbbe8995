/** Applies the answers of the gateway to the queue, the pace and the size of batches. */
import type { Entry } from "./entry.ts";
import type { Session } from "./session.ts";
import { type Answer, envelope, post, type Result, STORED } from "./transport.ts";
import type { Outcome } from "./types.ts";

export interface Reaction {
  /** Settles or keeps these entries, as the answer says. */
  readonly react: (entries: readonly Entry[], answer: Answer) => Promise<void>;
  /** Counts a failed attempt, which will be repeated. */
  readonly failed: (answer: Pick<Answer, "status" | "error" | "retryAfter">) => void;
  /** Maximum number of events in the next batch. */
  readonly most: () => number;
}

/** After this many failures in a row without an answer of the gateway, the events themselves may be the reason. */
const MAX_FOREIGN = 3;

/** Statuses with which the gateway refuses a whole envelope because of its events. */
const REFUSALS: readonly number[] = [400, 413, 422, 431];

export const createReaction = (
  { options, url, queue, pace, register, credentials }: Session,
  onConcluded: () => void,
): Reaction => {
  const { onRetry, maxBatchEvents = 100, timeout } = options;
  let most = maxBatchEvents;
  let foreign = 0;
  let suspect: string | undefined;

  const failed: Reaction["failed"] = ({ status, error, retryAfter }) => {
    pace.failed(retryAfter);
    if (retryAfter !== undefined) register.announceHold(retryAfter);
    // In a microtask, so that its errors are errors of the page, as with `onRefused`.
    queueMicrotask(() => onRetry?.(`${status} ${error}`));
  };

  /** Returns true if each entry has an outcome. */
  const conclude = async (entries: readonly Entry[], results: readonly Result[]): Promise<boolean> => {
    const outcomes = entries.flatMap(({ id }, i) => outcomeOf(id, results[i]));
    await queue.remove(outcomes.map(({ id }) => id));
    onConcluded();
    register.settle(outcomes, entries);
    return outcomes.length === entries.length;
  };

  /** Halves the next batch, to find the event that is the reason. False: the batch had one event. */
  const halve = ({ length }: readonly Entry[]): boolean => {
    most = Math.max(1, length >> 1);
    return length > 1;
  };

  /**
   * The answer is not the gateway's, so it refuses no event. An event that fails twice while the gateway accepts an empty
   * envelope is set aside.
   */
  const onForeign = async (entries: readonly Entry[], answer: Answer): Promise<void> => {
    register.doubt(entries);
    failed(answer);
    if (++foreign < MAX_FOREIGN || halve(entries)) return;
    const { results } = await post(url, { body: envelope([], credentials.known()), count: 0 }, timeout);
    const id = results && entries[0]?.id;
    if (id) pace.succeeded();
    if (id && id === suspect) queue.aside.add(id);
    suspect = id;
  };

  const onResults = async (entries: readonly Entry[], answer: Answer, results: readonly Result[]) => {
    credentials.accepted();
    register.doubt(entries);
    if (await conclude(entries, results)) {
      most = Math.min(maxBatchEvents, most * 2);
      pace.succeeded();
    } else failed(answer);
  };

  return {
    failed,
    most: () => most,
    react: async (entries, answer) => {
      const { status, results, isOwn } = answer;
      if (isOwn) foreign = 0;
      if (results) await onResults(entries, answer, results);
      else if (isOwn && REFUSALS.includes(status)) {
        if (!halve(entries)) await conclude(entries, [{ status: "refused", error: answer.error }]);
      } else if (status === 401 && credentials.refused()) return;
      else if (isOwn || status === 401) failed(answer);
      else if (status !== 413 || !halve(entries)) await onForeign(entries, answer);
    },
  };
};

/** Empty for an event without an outcome: it stays in the queue and is sent again. */
const outcomeOf = (id: string, result: Result | undefined): Outcome[] => {
  if (result?.status === "refused") return [{ status: "refused", id, error: result.error ?? "refused" }];
  return result && STORED.includes(result.status) ? [{ ...result, status: "stored", id }] : [];
};

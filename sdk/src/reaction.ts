/** What answers do to the queue, the pace and the size of batches. */
import type { Entry } from "./entry.ts";
import type { Session } from "./session.ts";
import { type Answer, envelope, post, type Result } from "./transport.ts";
import type { Outcome } from "./types.ts";

export interface Reaction {
  /** Does with the queue what an answer says of these entries. */
  readonly react: (entries: readonly Entry[], answer: Answer) => Promise<void>;
  /** An attempt that will be repeated. */
  readonly failed: (answer: Pick<Answer, "status" | "error" | "retryAfter">) => void;
  /** Events that the next batch may have. */
  readonly most: () => number;
}

/** So many failures in a row without a word of the gateway's, and the events themselves may be the reason. */
const SUSPICIOUS = 3;

/** Of the gateway's own answers to a whole envelope, those that speak of its events. */
const REFUSALS: readonly number[] = [400, 413, 422, 431];

export const createReaction = (
  { options, url, queue, pace, register, credentials }: Session,
  onConcluded: () => void,
): Reaction => {
  const { onRetry, maxBatchEvents = 100, timeout } = options;
  let most = maxBatchEvents;
  let strange = 0;
  let suspect: string | undefined;

  const failed: Reaction["failed"] = ({ status, error, retryAfter }) => {
    pace.failed(retryAfter);
    if (retryAfter !== undefined) register.announceHold(retryAfter);
    // In a turn of its own, as `onRefused`.
    queueMicrotask(() => onRetry?.(`${status} ${error}`));
  };

  const conclude = async (entries: readonly Entry[], results: readonly Result[]): Promise<void> => {
    const outcomes = entries.flatMap(({ id }, i) => outcomeOf(id, results[i]));
    await queue.remove(outcomes.map(({ id }) => id));
    onConcluded();
    register.settle(outcomes, entries);
  };

  /** Refused as a whole: halves tell the event that is at fault from the others. False: it is one event. */
  const halve = ({ length }: readonly Entry[]): boolean => {
    most = Math.max(1, length >> 1);
    return length > 1;
  };

  /**
   * Not the gateway's word: nothing is refused for it. An event that fails twice while the gateway takes an envelope
   * without it waits beside the queue.
   */
  const onStrange = async (entries: readonly Entry[], answer: Answer): Promise<void> => {
    register.doubt(entries);
    failed(answer);
    if (++strange < SUSPICIOUS || halve(entries)) return;
    const { results } = await post(url, { body: envelope([], credentials.known()), count: 0 }, timeout);
    const id = results && entries[0]?.id;
    if (id) pace.succeeded();
    if (id && id === suspect) queue.aside.add(id);
    suspect = id;
  };

  const onResults = async (entries: readonly Entry[], answer: Answer, results: readonly Result[]) => {
    credentials.accepted();
    register.doubt(entries);
    await conclude(entries, results);
    if (results.some(({ status }) => status === "unknown")) failed(answer);
    else {
      most = Math.min(maxBatchEvents, most * 2);
      pace.succeeded();
    }
  };

  return {
    failed,
    most: () => most,
    react: async (entries, answer) => {
      const { status, results, isOwn } = answer;
      if (isOwn) strange = 0;
      if (results) await onResults(entries, answer, results);
      else if (isOwn && REFUSALS.includes(status)) {
        if (!halve(entries)) await conclude(entries, [{ status: "refused", error: answer.error }]);
      } else if (status === 401 && credentials.refused()) return;
      else if (isOwn || status === 401) failed(answer);
      else if (status !== 413 || !halve(entries)) await onStrange(entries, answer);
    },
  };
};

/** None for an event whose fate nobody knows: it stays, and is sent again. */
const outcomeOf = (id: string, result: Result | undefined): Outcome[] => {
  if (result?.status === "stored") return [{ ...result, status: "stored", id }];
  return result?.status === "refused" ? [{ status: "refused", id, error: result.error ?? "refused" }] : [];
};

/** Answers a bundle: calls its calls at the same time, and sends each answer as soon as its call has ended. */
import { setMaxListeners } from "node:events";
import type { Socket } from "node:net";
import { type BundledCall, decodeCalls, encodeAnswer } from "./bundle-frames.ts";
import { type AnswerHead, headOfError, type PeerHandler } from "./peers.ts";

/** Writes the answers of the calls in these bytes. Resolves when all of them are written. Throws a RangeError for other bytes. */
export const answerBundle = async (
  handler: Pick<PeerHandler, "call">,
  { bundle, socket }: { readonly bundle: Buffer; readonly socket: Socket },
  write: (bytes: Buffer) => void,
): Promise<void> => {
  const calls = decodeCalls(bundle);
  const aborted = new AbortController();
  // Each call may listen.
  setMaxListeners(0, aborted.signal);
  const onClose = (): void => {
    aborted.abort();
  };
  socket.once("close", onClose);
  await Promise.all(
    calls.map(async (call, place) => {
      write(encodeAnswer({ place, ...(await answerOf(handler, call, aborted.signal)) }));
    }),
  );
  socket.off("close", onClose);
};

const NOTHING = Buffer.alloc(0);

interface Answer {
  readonly head: AnswerHead | undefined;
  readonly body: Buffer;
}

const answerOf = async (
  handler: Pick<PeerHandler, "call">,
  { slot, path, body, waitMs }: BundledCall,
  signal: AbortSignal,
): Promise<Answer> => {
  try {
    const answer = await handler.call(slot, { path, body, waitMs, signal });
    if (answer === "moved") return { head: undefined, body: NOTHING };
    if (answer.reportsEnd === false)
      return { head: { status: answer.status, headers: answer.headers }, body: answer.body };
    answer.ended(false);
    throw new TypeError("the end of an answer in a bundle can't be reported");
  } catch (error) {
    return { head: headOfError(error), body: NOTHING };
  }
};

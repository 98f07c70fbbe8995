/** Did the client get the answer? node says `finish`, and `writableFinished`, of an answer that was reset in its middle too. */
import type { Response } from "express";

/** The part of a socket that tells how a write ended. */
interface Connection {
  readonly errored: Error | null;
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
}

const isAlive = ({ errored, destroyed, readableEnded }: Connection): boolean =>
  errored === null && !destroyed && !readableEnded;

/**
 * Resolves once the answer has ended: true where the operating system took all of it for a connection that had not
 * failed, and that the client had not closed, until then. What a client leaves unread in its own buffers counts as taken.
 */
export const wasTaken = (response: Response): Promise<boolean> => {
  // An answer whose last byte has left has no socket any more; its request has.
  const { socket } = response.req;
  let whole = false;
  response.once("finish", () => {
    whole = isAlive(socket);
  });
  return new Promise((resolve) => {
    const onClose = (): void => {
      resolve(whole && socket.errored === null);
    };
    if (response.closed) onClose();
    else response.once("close", onClose);
  });
};

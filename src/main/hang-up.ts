/**
 * SIGHUP from the first statement of the program on: node ends a process that has no listener for it. The entrances call
 * `holdHangUps` before they import anything else, because the imports take a fraction of a second.
 */

let handle: (() => void) | undefined;
let isHeld = false;
let hasCome = false;

const listener = (): void => {
  if (handle === undefined) hasCome = true;
  else handle();
};

/** From now on SIGHUP does not end this process. */
export const holdHangUps = (): void => {
  if (isHeld) return;
  isHeld = true;
  process.on("SIGHUP", listener);
};

/** From now on SIGHUP ends this process at once, also a SIGHUP that has come before. */
export const releaseHangUps = (): void => {
  if (!isHeld) return;
  isHeld = false;
  process.off("SIGHUP", listener);
  if (hasCome) process.kill(process.pid, "SIGHUP");
};

/** Calls `handler` for each SIGHUP from now on, and at once if a SIGHUP has come before. */
export const onHangUp = (handler: () => void): void => {
  holdHangUps();
  handle = handler;
  if (hasCome) handler();
  hasCome = false;
};

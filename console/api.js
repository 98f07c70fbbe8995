/** The operators' routes, asked as any other client asks them; the cookie of the session comes along by itself. */

/** What a route refused, in its own words. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string | undefined} code
   */
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** @override */
  toString() {
    return `${this.message} (${this.code ?? this.status})`;
  }
}

/** @param {Response} answer */
const refusalOf = async (answer) => {
  /** @type {{ detail?: string, message?: string, code?: string }} */
  const body = await answer.json().catch(() => ({}));
  return new Refusal(answer.status, body.detail ?? body.message ?? answer.statusText, body.code);
};

/**
 * Rejects with a `Refusal` for anything but success. A session that is over leads back to the door.
 * @param {string} path
 * @param {RequestInit} [init]
 */
export const call = async (path, init = {}) => {
  const answer = await fetch(path, { ...init, cache: "no-store" });
  if (answer.ok) return answer;
  if (answer.status === 401) location.reload();
  throw await refusalOf(answer);
};

/** Milliseconds: a gateway that is frozen would leave the page as it is, and say nothing. */
const PATIENCE = 30_000;

/**
 * A call whose answer is not a stream.
 * @param {string} path
 * @param {RequestInit} [init]
 */
export const ask = (path, { signal, ...init } = {}) => {
  const inTime = AbortSignal.timeout(PATIENCE);
  return call(path, { ...init, signal: signal ? AbortSignal.any([signal, inTime]) : inTime });
};

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const getJson = async (path, signal) => (await ask(path, signal && { signal })).json();

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
export const send = (method, path, body) =>
  ask(path, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });

/** What clients are told no more of than "Server error". @type {Record<string, string>} */
const PLAIN = {
  BROKER_UNAVAILABLE: "The broker can’t be reached.",
  BROKER_AMBIGUOUS: "The broker’s answer never came: it may be stored.",
  SHUTTING_DOWN: "The gateway is shutting down.",
};

/**
 * Did the gateway itself say that nothing is stored? A page of a proxy, or no answer at all, says nothing of it.
 * @param {unknown} error
 */
export const isCertain = (error) =>
  error instanceof Refusal && error.code !== undefined && error.code !== "BROKER_AMBIGUOUS";

/** @param {unknown} error */
export const wordsOf = (error) => {
  if (!(error instanceof Refusal)) return "The gateway can’t be reached.";
  return PLAIN[error.code ?? ""] ?? String(error);
};

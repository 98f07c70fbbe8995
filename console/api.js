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

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const getJson = async (path, signal) => (await call(path, signal && { signal })).json();

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
export const send = (method, path, body) =>
  call(path, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });

/** What clients are told no more of than "Server error". @type {Record<string, string>} */
const PLAIN = {
  BROKER_UNAVAILABLE: "The broker can’t be reached.",
  BROKER_AMBIGUOUS: "The broker’s answer never came: it may be stored.",
  SHUTTING_DOWN: "The gateway is shutting down.",
};

/** @param {unknown} error */
export const wordsOf = (error) => {
  if (!(error instanceof Refusal)) return "The gateway can’t be reached.";
  return PLAIN[error.code ?? ""] ?? String(error);
};

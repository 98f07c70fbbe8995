/** Calls of the operators' routes. The browser adds the session cookie. */

/** An error response of a route, with its message. */
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
 * Rejects with a `Refusal` unless the response is 2xx. After 401 the page reloads and shows the sign-in form.
 * @param {string} path
 * @param {RequestInit} [init]
 */
export const call = async (path, init = {}) => {
  const answer = await fetch(path, { ...init, cache: "no-store" });
  if (answer.ok) return answer;
  if (answer.status === 401) location.reload();
  throw await refusalOf(answer);
};

/** Milliseconds. Without a timeout the page would wait for a frozen gateway without a message. */
const TIMEOUT = 30_000;

/**
 * A call with a timeout, for responses that are no streams.
 * @param {string} path
 * @param {RequestInit} [init]
 */
export const ask = (path, { signal, ...init } = {}) => {
  const inTime = AbortSignal.timeout(TIMEOUT);
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
 * @param {AbortSignal} [signal]
 */
export const send = (method, path, body, signal) =>
  ask(path, {
    method,
    ...(signal && { signal }),
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });

/** Messages for codes whose own message says only "Server error". @type {Record<string, string>} */
const PLAIN = {
  BROKER_UNAVAILABLE: "The broker can’t be reached.",
  BROKER_AMBIGUOUS: "The broker did not answer. The event may be stored.",
  SHUTTING_DOWN: "The gateway is shutting down.",
};

/**
 * Whether the gateway itself says that nothing was stored. A proxy's error page, or no response, leaves that open.
 * @param {unknown} error
 */
export const isCertain = (error) =>
  error instanceof Refusal &&
  error.code !== undefined &&
  !["BROKER_AMBIGUOUS", "ID_UNRESOLVED"].includes(error.code);

/** @param {unknown} error */
export const wordsOf = (error) => {
  if (!(error instanceof Refusal)) return "The gateway can’t be reached.";
  return PLAIN[error.code ?? ""] ?? String(error);
};

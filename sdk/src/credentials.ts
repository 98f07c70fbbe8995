/** The access token or the API key of a producer. */
import { within } from "./guard.ts";
import type { Credential } from "./transport.ts";
import type { ProducerOptions } from "./types.ts";

export interface Credentials {
  /** The current credential, without asking for a new one. */
  readonly known: () => Credential | undefined;
  /** Calls `getToken` if there is no credential; concurrent calls share one answer. Rejects as `getToken`, without a valid token, and after 15 s. */
  readonly get: () => Promise<Credential>;
  /** The gateway refused the credential. True: try a new one at once, because the one before was accepted. */
  readonly refused: () => boolean;
  /** The gateway accepted the credential. */
  readonly accepted: () => void;
}

const TIMEOUT_MS = 15_000;

/** Maximum characters of a token. A longer text, for example an error page, would make each envelope too large. */
const MAX_CHARACTERS = 16_384;

export const createCredentials = ({ apiKey, getToken }: ProducerOptions): Credentials => {
  let credential: Credential | undefined = apiKey === undefined ? undefined : { apiKey };
  let asking: Promise<Credential> | undefined;
  let isRefused = false;

  const ask = async (): Promise<Credential> => {
    const given: unknown = await getToken?.();
    const token = typeof given === "string" ? given.trim() : "";
    // With an invalid token in the envelope, the gateway would refuse the events.
    if (token === "" || token.length > MAX_CHARACTERS) throw new TypeError("getToken gave no token");
    return (credential = { token });
  };

  return {
    known: () => credential,
    get: async () =>
      credential ??
      (asking ??= within(TIMEOUT_MS, ask()).finally(() => {
        asking = undefined;
      })),
    refused: () => {
      if (!getToken) return false;
      credential = undefined;
      const isFirst = !isRefused;
      isRefused = true;
      return isFirst;
    },
    accepted: () => {
      isRefused = false;
    },
  };
};

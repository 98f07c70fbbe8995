import { within } from "./guard.ts";
import type { Credential } from "./transport.ts";
import type { ProducerOptions } from "./types.ts";

export interface Credentials {
  /** What is known now; a page that is going away can't wait for more. */
  readonly known: () => Credential | undefined;
  /** Asks `getToken` where need be, once for all who wait. Rejects as it does, for what is no token, and after 15 s. */
  readonly get: () => Promise<Credential>;
  /** The gateway refused it. True: a new one is worth a try at once, since it is the first to be refused. */
  readonly refused: () => boolean;
  /** The gateway took it. */
  readonly accepted: () => void;
}

const PATIENCE = 15_000;

/** Characters; what is longer is an error page, say, and would make each envelope too large. */
const LONGEST = 16_384;

export const createCredentials = ({ apiKey, getToken }: ProducerOptions): Credentials => {
  let credential: Credential | undefined = apiKey === undefined ? undefined : { apiKey };
  let asking: Promise<Credential> | undefined;
  let isRefused = false;

  const ask = async (): Promise<Credential> => {
    const given: unknown = await getToken?.();
    const token = typeof given === "string" ? given.trim() : "";
    // Anything else in an envelope would make the gateway refuse the events for it.
    if (token === "" || token.length > LONGEST) throw new TypeError("getToken gave no token");
    return (credential = { token });
  };

  return {
    known: () => credential,
    get: async () =>
      credential ??
      (asking ??= within(PATIENCE, ask()).finally(() => {
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

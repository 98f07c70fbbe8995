import type { Credential } from "./transport.ts";
import type { ProducerOptions } from "./types.ts";

export interface Credentials {
  /** What is known now; a page that is going away can't wait for more. */
  readonly known: () => Credential | undefined;
  /** Asks `getToken` where need be, once for all who wait. Rejects as it does. */
  readonly get: () => Promise<Credential>;
  /** The gateway refused it. True: a new one is worth a try at once, since it is the first to be refused. */
  readonly refused: () => boolean;
  /** The gateway took it. */
  readonly accepted: () => void;
}

export const createCredentials = ({ apiKey, getToken }: ProducerOptions): Credentials => {
  let credential: Credential | undefined = apiKey === undefined ? undefined : { apiKey };
  let asking: Promise<Credential> | undefined;
  let isRefused = false;

  const ask = async (): Promise<Credential> => {
    credential = { token: (await getToken?.()) ?? "" };
    return credential;
  };

  return {
    known: () => credential,
    get: async () =>
      credential ??
      (asking ??= ask().finally(() => {
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

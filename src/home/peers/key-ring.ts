/**
 * The keys of the peer port while settings are reloaded. Gateways on one Kafka reload one after the other, and without a secret for
 * tokens or peers each added or removed API key changes the key of the signatures. So for some minutes a gateway signs with the
 * key of the earlier API keys, and accepts both.
 *
 * A client that knows a removed API key can't make the earlier key: it is made of all API keys, and at least one of them is still
 * in use. If none of them is in use, this gateway forgets the earlier key.
 */
import type { Clock } from "../../lib/clock.ts";
import { peerKeys, type PeerSecrets } from "./signature.ts";

export interface KeyRing {
  use(secrets: PeerSecrets): void;
  /** The first one signs. Empty: the settings have no secret. */
  readonly keys: () => readonly Buffer[];
}

/** All gateways must have reloaded within this time. */
const SIGN_MS = 2 * 60_000;
/** Another gateway may have begun to sign with the earlier key `SIGN_MS` later. One more minute is for clocks and slow timers. */
const ACCEPT_MS = 2 * SIGN_MS + 60_000;
const MAX_EARLIER = 10;

interface Earlier {
  readonly keys: readonly Buffer[];
  readonly apiKeys: readonly string[];
  /** Milliseconds of the monotonic clock: a changed time of the machine must not make the gateway sign longer than others accept. */
  readonly replacedAt: number;
}

export const createKeyRing = (clock: Pick<Clock, "monotonic">): KeyRing => {
  let present: Omit<Earlier, "replacedAt"> = { keys: [], apiKeys: [] };
  /** The latest one at the end. */
  let earlier: readonly Earlier[] = [];

  const replaced = (ms: number): readonly Earlier[] =>
    earlier.filter(({ replacedAt }) => clock.monotonic() - replacedAt < ms);

  return {
    use: (secrets) => {
      const apiKeys =
        secrets.secret === undefined && secrets.tokenSecrets.length === 0 ? secrets.apiKeys : [];
      const keys = peerKeys(secrets);
      const isChanged = keys[0]?.equals(present.keys[0] ?? Buffer.alloc(0)) !== true;
      if (isChanged) earlier = [...replaced(ACCEPT_MS), { ...present, replacedAt: clock.monotonic() }];
      present = { keys, apiKeys };
      earlier = earlier.filter((one) => one.apiKeys.some((key) => apiKeys.includes(key))).slice(-MAX_EARLIER);
    },
    keys: () => {
      if (earlier.length === 0) return present.keys;
      const signing = replaced(SIGN_MS);
      const accepted = replaced(ACCEPT_MS);
      earlier = accepted;
      return [...signing, present, ...accepted].flatMap(({ keys }) => keys);
    },
  };
};

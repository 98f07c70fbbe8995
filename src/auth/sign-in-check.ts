/**
 * Compares the credentials of a sign-in with the secrets of an account. The time of the answer does not reveal whether the
 * account exists, and sign-ins with invented names don't delay real accounts.
 *
 * A sign-in is answered at once if its credential is right and plain, or right and already verified, and also if no account
 * has a hashed secret. Every other sign-in takes a turn in the queue "strangers", and a wrong credential is answered only after
 * this turn. If a sign-in to an account with a hashed secret has to wait there, it also takes a turn in the queue "accounts". So
 * a right credential is accepted without waiting for strangers, and a wrong credential waits as long as an invented name.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { FairTurns } from "../lib/fair-turns.ts";
import { createSingleFlight } from "../lib/single-flight.ts";
import type { Account, Accounts } from "./accounts.ts";
import {
  createEvenWork,
  decoySecret,
  type EvenWork,
  overloaded,
  type ScryptHash,
  type SecretVerifier,
  type StoredSecret,
} from "./secrets.ts";

export interface GivenCredentials {
  readonly username: string;
  /** undefined: the account does not exist. */
  readonly account: Account | undefined;
  readonly connectionToken: string | undefined;
  readonly password: string | undefined;
  /** Address or network of the client. */
  readonly network: string;
}

/** True if one of the given credentials belongs to the account. Rejects with OVERLOADED if too many sign-ins wait. */
export type CheckSignIn = (given: GivenCredentials) => Promise<boolean>;

export interface SignInCheckDependencies {
  readonly accounts: Accounts;
  readonly verifier: Pick<SecretVerifier, "known" | "derive">;
  readonly turns: FairTurns;
  /** Milliseconds from a sign-in to its refusal with OVERLOADED. An account's own turn must end within this time. */
  readonly refusalDelay?: number;
}

/** A given credential and the secret to compare it with. */
interface Pair {
  readonly stored: StoredSecret | undefined;
  readonly given: string;
}

type HashedSecret = StoredSecret & { readonly scrypt: ScryptHash };

const isHashed = (secret: StoredSecret | undefined): secret is HashedSecret => secret?.scrypt !== undefined;

export const createSignInCheck = (dependencies: SignInCheckDependencies): CheckSignIn => {
  const { accounts, verifier } = dependencies;
  const plainDecoy = decoySecret();
  const hashed = accounts.all
    .flatMap(({ connectionToken, password }) => [connectionToken, password])
    .filter(isHashed);
  const compareHashes = createHashComparison(dependencies, hashed);

  /**
   * Compares without a derivation. A pair without a plain secret is compared with the decoy, so that every pair takes the
   * time of one plain comparison.
   */
  const isKnown = ({ stored, given }: Pair): boolean =>
    isHashed(stored)
      ? verifier.known(plainDecoy, given) === true || verifier.known(stored, given) === true
      : verifier.known(stored ?? plainDecoy, given) === true;

  // Equal sign-ins at the same time share one comparison, whether the name exists or not.
  const pepper = randomBytes(32);
  const once = createSingleFlight<boolean>();

  return async (given) => {
    const { account, connectionToken, password } = given;
    const pairs = [
      { stored: account?.connectionToken, given: connectionToken },
      { stored: account?.password, given: password },
    ].filter((pair): pair is Pair => pair.given !== undefined);
    // Not some(), which stops at the first match: the time would reveal which pair matched.
    if (pairs.filter(isKnown).length > 0) return true;
    if (pairs.length === 0 || hashed.length === 0) return false;
    const question = JSON.stringify([given.username, connectionToken, password]);
    const name = createHmac("sha256", pepper).update(question).digest("base64");
    return once(name, () => compareHashes(given, pairs));
  };
};

type CompareHashes = (given: GivenCredentials, pairs: readonly Pair[]) => Promise<boolean>;

const createHashComparison = (
  { verifier, turns, refusalDelay = 4000 }: SignInCheckDependencies,
  hashed: readonly StoredSecret[],
): CompareHashes => {
  const evenWork = createEvenWork(hashed.map((secret) => [secret]));

  const derive = async (pairs: readonly Pair[], secretsOf: EvenWork): Promise<boolean> => {
    for (const { stored, given } of pairs) {
      for (const secret of secretsOf(isHashed(stored) ? [stored] : []))
        if (await verifier.derive(secret, given)) return true;
    }
    return false;
  };

  return async ({ username, network }, pairs) => {
    const refusal = setTimeout(refusalDelay, undefined, { ref: false });
    const common = turns.take(["strangers", network]);
    const isOwnTurnWanted = !common.isGranted && pairs.some(({ stored }) => isHashed(stored));
    const own = isOwnTurnWanted ? turns.take(["accounts", username, network]) : undefined;
    // The turn that begins first derives the hashes of the account.
    let ownBegan = false;

    const inOwnTurn = async (): Promise<boolean> => {
      if (own === undefined || !(await own.granted)) return false;
      ownBegan = true;
      return derive(pairs, (secrets) => secrets).finally(own.end);
    };
    const inCommonTurn = async (): Promise<boolean> => {
      if (!(await common.granted)) throw overloaded();
      own?.withdraw();
      return derive(pairs, (secrets) => evenWork(ownBegan ? [] : secrets)).finally(common.end);
    };

    const answer = inCommonTurn();
    // The refusal comes after the same time for every name, even if the account has a turn of its own.
    const refused = answer.then(
      () => new Promise<never>(() => undefined),
      async (error: unknown) => {
        await refusal;
        throw error;
      },
    );
    const compared = inOwnTurn().then((isRight) => {
      if (!isRight) return answer.catch(() => refused);
      common.withdraw();
      return true;
    });
    return Promise.race([compared, refused]);
  };
};

/**
 * Compares what a sign-in gives with an account's secrets, in a time that tells nothing about the account, and in turns
 * that strangers can't use up.
 *
 * Every sign-in takes a turn in the lane of strangers, where made-up names wait for each other, and a wrong one is
 * answered only after that turn. An account with a hashed secret that has to wait there takes a turn in the lane of
 * accounts too: its right credential is found without waiting for strangers, and its wrong one waits as long as a
 * made-up name.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { FairTurns } from "../lib/fair-turns.ts";
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
  /** Absent: there is no such account. */
  readonly account: Account | undefined;
  readonly connectionToken: string | undefined;
  readonly password: string | undefined;
  /** Address or network of the client. */
  readonly network: string;
}

/** Is one of the given credentials the account's? Rejects with OVERLOADED when too many sign-ins wait. */
export type CheckSignIn = (given: GivenCredentials) => Promise<boolean>;

export interface SignInCheckDependencies {
  readonly accounts: Accounts;
  readonly verifier: Pick<SecretVerifier, "known" | "derive">;
  readonly turns: FairTurns;
  /** Milliseconds from a sign-in to its refusal with OVERLOADED: an account's own turn has to end in this time. */
  readonly refusalDelay?: number;
}

/** A credential beside the secret that it may match. */
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

  /** What is known without a derivation; each pair costs one comparison, whatever is stored. */
  const isKnown = ({ stored, given }: Pair): boolean =>
    isHashed(stored)
      ? verifier.known(plainDecoy, given) === true || verifier.known(stored, given) === true
      : verifier.known(stored ?? plainDecoy, given) === true;

  // Equal sign-ins at the same time, of a known name or not, share one answer.
  const pepper = randomBytes(32);
  const comparing = new Map<string, Promise<boolean>>();

  return async (given) => {
    const { account, connectionToken, password } = given;
    const pairs = [
      { stored: account?.connectionToken, given: connectionToken },
      { stored: account?.password, given: password },
    ].filter((pair): pair is Pair => pair.given !== undefined);
    // Not some(), which would stop at the first match, before the others' time is spent.
    if (pairs.filter(isKnown).length > 0) return true;
    if (pairs.length === 0 || hashed.length === 0) return false;
    const question = JSON.stringify([given.username, connectionToken, password]);
    const name = createHmac("sha256", pepper).update(question).digest("base64");
    const answer = comparing.get(name) ?? compareHashes(given, pairs).finally(() => comparing.delete(name));
    comparing.set(name, answer);
    return answer;
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
    // The turn that begins first derives the account's own hashes.
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
    // At the same time for every name, whether or not its own turn has ended by then.
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

/** Makes every wrong credential cost the same derivations, so that the time of an answer tells nothing about a name. */
import { decoySecret, type StoredSecret } from "./secrets.ts";

/**
 * The secrets to compare a given one with: first those of the name, then decoys, so that for each cost the list holds as
 * many hashes as the name with the most of them has. A name that does not exist has no secrets of its own.
 */
export type EvenWork = (own: readonly StoredSecret[]) => readonly StoredSecret[];

/** `names` has the hashed secrets of each name that can be asked for. */
export const createEvenWork = (names: readonly (readonly StoredSecret[])[]): EvenWork => {
  const decoys = new Map<string, readonly StoredSecret[]>();
  for (const [cost, secrets] of names.flatMap((own) => [...byCost(own)])) {
    if (secrets.length > (decoys.get(cost)?.length ?? 0)) decoys.set(cost, secrets.map(decoySecret));
  }
  return (own) => {
    const given = byCost(own);
    const missing = [...decoys].flatMap(([cost, most]) => most.slice(given.get(cost)?.length ?? 0));
    return [...own, ...missing];
  };
};

const byCost = (secrets: readonly StoredSecret[]): ReadonlyMap<string, readonly StoredSecret[]> => {
  const groups = new Map<string, StoredSecret[]>();
  for (const secret of secrets) {
    if (secret.scrypt === undefined) continue;
    const { ln, r, p } = secret.scrypt.cost;
    const cost = `${ln},${r},${p}`;
    groups.set(cost, [...(groups.get(cost) ?? []), secret]);
  }
  return groups;
};

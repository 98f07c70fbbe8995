/** Committed positions: in memory to be asked for, on the disk to be found again. */
import { GatewayError } from "../../errors.ts";
import { createPositions, type Positions } from "../local/positions.ts";
import type { LocalStore } from "../local/store.ts";
import type { CommitLoop } from "./commit-loop.ts";
import { PAGE_BYTES, type Environment } from "./environment.ts";

/** LMDB's keys end at 1978 bytes, and the topic and the partition have to fit in too. */
const LONGEST_GROUP_BYTES = 1500;

const storedPositions = ({ databases }: Environment): Positions => {
  const stored = createPositions();
  for (const { key, value } of databases.positions.getRange()) {
    const [group, topic, partition] = key;
    const [offset, metadata] = typeof value === "number" ? [value] : value;
    stored.set(group, [{ topic, partition, offset: BigInt(offset), metadata }]);
  }
  return stored;
};

/** The positions as the disk has them; changes go through the commit loop. */
export const openPositions = (
  environment: Environment,
  loop: CommitLoop,
): Pick<LocalStore, "positions" | "savePositions" | "deletePositions"> => {
  const known = storedPositions(environment);

  return {
    positions: known.of,
    savePositions: (group, positions) => {
      if (Buffer.byteLength(group) > LONGEST_GROUP_BYTES) {
        return Promise.reject(
          new GatewayError("REQUEST_INVALID", { message: "The group's name is too long" }),
        );
      }
      return loop.submit({
        bytes: positions.length * PAGE_BYTES,
        stage: () => {
          for (const { topic, partition, offset, metadata } of positions) {
            const value = metadata === undefined ? Number(offset) : ([Number(offset), metadata] as const);
            void environment.databases.positions.put([group, topic, partition], value);
          }
        },
        applied: () => {
          known.set(group, positions);
        },
      });
    },
    deletePositions: (group) =>
      loop.submit({
        bytes: known.of(group).length * PAGE_BYTES,
        stage: () => {
          for (const { topic, partition } of known.of(group)) {
            void environment.databases.positions.remove([group, topic, partition]);
          }
        },
        applied: () => {
          known.delete(group);
        },
      }),
  };
};

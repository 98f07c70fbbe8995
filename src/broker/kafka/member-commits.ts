/** Commits of members under their generation, and their requests to leave the group. */
import { leaveGroupV4, offsetCommitV8, protocolErrorsCodesById, ResponseError } from "./client-library.ts";
import type { CommitAnswer, Groups } from "../groups.ts";
import type { GroupPosition } from "../positions.ts";
import { partitionsByTopic } from "./commits.ts";
import { type ConnectionPool, type Coordinators, createConnectionPool } from "./coordinators.ts";
import { answering, ENDED, LONG_METADATA, NOT_CURRENT, REBALANCING } from "./group-answers.ts";
import type { KafkaOptions } from "./options.ts";

/**
 * Connections to each coordinator for commit and leave requests. Kafka answers a connection's requests one after the other
 * and delays a commit by some milliseconds (see `CONNECTIONS` in `commits.ts`), so heartbeats have a connection of their own.
 */
const COMMITTERS = 4;

/** Only static members have an instance id. */
const NO_INSTANCE = null;

interface RefusedPartitions {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[];
  }[];
}

/** The positions that Kafka has refused for this reason. */
const refusedFor = (
  reason: string,
  error: unknown,
  positions: readonly GroupPosition[],
): readonly GroupPosition[] => {
  if (!(error instanceof ResponseError)) return [];
  const { topics } = error["response"] as RefusedPartitions;
  return positions.filter(({ topic, partition }) => {
    const answer = topics
      .find(({ name }) => name === topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    return answer !== undefined && protocolErrorsCodesById[answer.errorCode] === reason;
  });
};

/** Runs the tasks of one group one after the other. */
const createTurns = () => {
  const last = new Map<string, Promise<unknown>>();
  return <T>(group: string, task: () => Promise<T>): Promise<T> => {
    const before = last.get(group) ?? Promise.resolve();
    const run = before.then(task, task);
    last.set(group, run);
    const end = (): void => {
      if (last.get(group) === run) last.delete(group);
    };
    run.then(end, end);
    return run;
  };
};

type Commit = Groups["commit"];

interface CommitParts {
  /** The version of OffsetCommit. */
  readonly api: Pick<typeof offsetCommitV8.api, "async">;
  readonly coordinators: Coordinators;
  readonly pool: ConnectionPool;
  /** What errors of Kafka mean. */
  readonly answers: Parameters<typeof answering<CommitAnswer>>[0];
}

/** A commit of a member. If the broker refuses the metadata of a position, stores the position without metadata. */
export const createCommit = ({ api, coordinators, pool, answers }: CommitParts): Commit => {
  const send = (...[{ group, memberId, generation }, positions]: Parameters<Commit>) =>
    coordinators.ask(group, (coordinator, timeoutMs) =>
      pool.use(coordinator, timeoutMs, (connection) =>
        api.async(connection, group, generation, memberId, NO_INSTANCE, partitionsByTopic(positions)),
      ),
    );
  return (member, positions) =>
    send(member, positions)
      .catch((error: unknown) => {
        const tooLong = refusedFor(LONG_METADATA, error, positions);
        if (tooLong.length === 0) throw error;
        const shortened = positions.map((position) =>
          tooLong.includes(position) ? { ...position, metadata: undefined } : position,
        );
        return send(member, shortened);
      })
      .then((): CommitAnswer => "stored", answering<CommitAnswer>(answers));
};

interface MemberCommits extends Pick<Groups, "commit" | "leave"> {
  close(): Promise<void>;
}

/** The commit and leave requests of a group are sent in the order of the calls, so that no commit overtakes another. */
export const createMemberCommits = (options: KafkaOptions, coordinators: Coordinators): MemberCommits => {
  const pool = createConnectionPool(options, COMMITTERS);
  const commit = createCommit({
    ...{ api: offsetCommitV8.api, coordinators, pool },
    answers: [
      [NOT_CURRENT, "refused"],
      [REBALANCING, "rebalancing"],
    ],
  });
  const inTurn = createTurns();

  return {
    commit: (member, positions) => inTurn(member.group, () => commit(member, positions)),
    leave: (group, memberId) =>
      inTurn(group, () =>
        coordinators.ask(group, (coordinator, timeoutMs) =>
          pool.use(coordinator, timeoutMs, (connection) =>
            leaveGroupV4.api.async(connection, group, [{ memberId, groupInstanceId: NO_INSTANCE }]),
          ),
        ),
      )
        .then(() => undefined, answering([[ENDED, undefined]]))
        .finally(() => {
          coordinators.forget(group);
        }),
    close: () => pool.close(),
  };
};

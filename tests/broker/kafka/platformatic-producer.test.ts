import { resultOf } from "../../../src/broker/kafka/platformatic-producer.ts";

const REQUEST_TIMED_OUT = 7;
const NOT_LEADER_OR_FOLLOWER = 6;
const KAFKA_STORAGE_ERROR = 56;
const INVALID_RECORD = 87;

const answer = (errorCode: number, baseOffset: bigint) =>
  resultOf({ partition: 0, errorCode, baseOffset, logAppendTime: -1n });

describe("the result of a batch", () => {
  it.each([
    ["is 'moved' if a broker that isn't the leader refuses the batch", NOT_LEADER_OR_FOLLOWER, -1n, "moved"],
    ["is 'ambiguous' if a former leader has appended the batch", NOT_LEADER_OR_FOLLOWER, 12n, "ambiguous"],
    ["is 'ambiguous' if the other replicas didn't answer in time", REQUEST_TIMED_OUT, 12n, "ambiguous"],
    ["is 'ambiguous' if a disk failed during the append", KAFKA_STORAGE_ERROR, -1n, "ambiguous"],
    ["is 'invalid' if the topic refuses a record", INVALID_RECORD, -1n, "invalid"],
  ])("%s", (_, errorCode, baseOffset, fault) => {
    expect(answer(errorCode, baseOffset)).toMatchObject({ status: "failed", fault });
  });

  it("is 'stored' with the offset if there is no error", () => {
    expect(answer(0, 12n)).toEqual({ status: "stored", baseOffset: 12n, timestamp: undefined });
  });
});

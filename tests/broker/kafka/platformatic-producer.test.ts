import { resultOf } from "../../../src/broker/kafka/platformatic-producer.ts";

const REQUEST_TIMED_OUT = 7;
const NOT_LEADER_OR_FOLLOWER = 6;
const KAFKA_STORAGE_ERROR = 56;
const INVALID_RECORD = 87;

const answer = (errorCode: number, baseOffset: bigint) =>
  resultOf({ partition: 0, errorCode, baseOffset, logAppendTime: -1n });

describe("what a broker's answer says of a batch", () => {
  it.each([
    ["a leader that isn't one refuses it", NOT_LEADER_OR_FOLLOWER, -1n, "moved"],
    ["a leader that has lost the lead has appended it before", NOT_LEADER_OR_FOLLOWER, 12n, "ambiguous"],
    ["the other replicas were late", REQUEST_TIMED_OUT, 12n, "ambiguous"],
    ["a disk failed somewhere in the append", KAFKA_STORAGE_ERROR, -1n, "ambiguous"],
    ["a record isn't one that the topic takes", INVALID_RECORD, -1n, "invalid"],
  ])("%s", (_, errorCode, baseOffset, fault) => {
    expect(answer(errorCode, baseOffset)).toMatchObject({ status: "failed", fault });
  });

  it("stored, with the offset", () => {
    expect(answer(0, 12n)).toEqual({ status: "stored", baseOffset: 12n, timestamp: undefined });
  });
});

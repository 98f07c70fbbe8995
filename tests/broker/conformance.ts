/**
 * The broker port's promise as a suite, for every adapter. Topics and groups have names of their own in each test, and
 * what an adapter may do later is awaited, never slept for, so that it holds for a real cluster with other users too.
 */
import { jest } from "@jest/globals";
import type { Broker } from "../../src/broker/broker.ts";
import { describeAppending } from "./conformance/appending.ts";
import { describeClosing } from "./conformance/closing.ts";
import { describeConsuming } from "./conformance/consuming.ts";
import { describeGroups } from "./conformance/groups.ts";
import { describePositions } from "./conformance/positions.ts";
import { describeTopics } from "./conformance/topics.ts";

export interface Subject {
  /** Open. */
  readonly broker: Broker;
  /** Closes the broker and removes what it left behind. */
  close(): Promise<void>;
}

/** Runs the suite. `setup` is called more than once; each broker may find the others' topics. */
export const describeBroker = (name: string, setup: () => Promise<Subject>): void => {
  describe(`${name} keeps the promises of a broker`, () => {
    jest.setTimeout(60_000);
    let subject: Subject;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(async () => {
      await subject.close();
    });
    const broker = (): Broker => subject.broker;

    describeTopics(broker);
    describeAppending(broker);
    describeConsuming(broker);
    describeGroups(broker);
    describePositions(broker);
    describeClosing(setup);
  });
};

/**
 * The broker contract as a test suite for all adapters. Each test has its own topics and groups. The tests wait for
 * conditions and never sleep, so that they also hold on a real cluster with other users.
 */
import { jest } from "@jest/globals";
import type { Broker } from "../../src/broker/broker.ts";
import { describeAppending } from "./conformance/appending.ts";
import { describeClosing } from "./conformance/closing.ts";
import { describeConsuming } from "./conformance/consuming.ts";
import { describeGroups } from "./conformance/groups.ts";
import { describeMembership } from "./conformance/membership.ts";
import { describeOnce } from "./conformance/once.ts";
import { describePositions } from "./conformance/positions.ts";
import { describeReading } from "./conformance/reading.ts";
import { describeTopics } from "./conformance/topics.ts";

export interface Subject {
  /** An open broker. */
  readonly broker: Broker;
  /** Closes the broker and removes its data. */
  close(): Promise<void>;
}

/** Runs the suite. `setup` is called more than once. A broker may find the topics of the earlier ones. */
export const describeBroker = (name: string, setup: () => Promise<Subject>): void => {
  describe(`${name} fulfils the broker contract`, () => {
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
    describeMembership(broker);
    describePositions(broker);
    describeReading(broker);
    describeOnce(broker);
    describeClosing(setup);
  });
};

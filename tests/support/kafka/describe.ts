/** `describe` for tests that need a real Kafka: they run where one can be had, and say so where not. */
import { whatJavaProgramsLack } from "./java.ts";
import { startKafka, type KafkaServer } from "./server.ts";
import { isRequired, sharedBrokers, whyNoKafka, whyNoOwnKafka } from "./shared.ts";

const START_TIMEOUT = 120_000;

export interface KafkaUnderTest {
  /** host:port; known inside hooks and tests. */
  readonly brokers: readonly string[];
}

const lack = await whyNoKafka();
const lackOfOwn = await whyNoOwnKafka();
const lackOfJava = lackOfOwn ?? (await whatJavaProgramsLack());

const howTo =
  "to run them install Java 17+ and Maven, or give KAFKA_BROKERS=host:port; KAFKA_TESTS=required makes this a failure";

const describeUnless = (lack: string | undefined, name: string, body: () => void): void => {
  if (lack === undefined) {
    describe(name, body);
  } else if (isRequired) {
    describe(name, () => {
      it("has a Kafka, as KAFKA_TESTS=required says", () => {
        throw new Error(`${lack}; ${howTo}`);
      });
    });
  } else {
    process.stderr.write(`SKIPPED, no Kafka: ${name} (${lack}; ${howTo})\n`);
    describe.skip(`${name} [skipped: ${lack}]`, body);
  }
};

/** Tests on the broker that the run shares: topics and groups need names of their own (`uniqueName`). */
export const describeKafka = (name: string, body: (kafka: KafkaUnderTest) => void): void => {
  describeUnless(lack, name, () => {
    let brokers: readonly string[] = [];
    beforeAll(async () => {
      brokers = await sharedBrokers();
    }, START_TIMEOUT);
    body({
      get brokers() {
        return brokers;
      },
    });
  });
};

/**
 * Tests on a broker that no other file uses, where one can be started here: those that have connectors. All gateways on
 * one Kafka run the same connectors, as pods do. A gateway of another file would take over partitions in the middle of a
 * test, and would be killed with them in its hands: they stand still until its session is over.
 */
export const describeKafkaApart = (name: string, body: (kafka: KafkaUnderTest) => void): void => {
  describeUnless(lack, name, () => {
    let own: KafkaServer | undefined;
    let brokers: readonly string[] = [];
    beforeAll(async () => {
      if (lackOfOwn === undefined) own = await startKafka();
      brokers = own?.brokers ?? (await sharedBrokers());
    }, START_TIMEOUT);
    afterAll(() => own?.stop());
    body({
      get brokers() {
        return brokers;
      },
    });
  });
};

/** Tests that start brokers of their own (`startKafka`), to configure or to break them. */
export const describeOwnKafka = (name: string, body: () => void): void => {
  describeUnless(lackOfOwn, name, body);
};

/** Tests on a broker of their own that run programs of Kafka's own client beside it (`runJava`). */
export const describeJava = (name: string, body: () => void): void => {
  describeUnless(lackOfJava, name, body);
};

let names = 0;

/** A topic or group name that no other test uses, on a broker that outlives the run too. */
export const uniqueName = (prefix: string): string =>
  `${prefix}-${process.pid}-${Date.now().toString(36)}-${++names}`;

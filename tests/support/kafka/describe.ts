/** `describe` for tests that need a real Kafka. Without Kafka they are skipped with a message. */
import { whatJavaProgramsLack } from "./java.ts";
import { startKafka, type KafkaServer } from "./server.ts";
import { isRequired, sharedBrokers, whyNoKafka, whyNoOwnKafka } from "./shared.ts";

const START_TIMEOUT = 120_000;

export interface KafkaUnderTest {
  /** host:port. Only set inside hooks and tests. */
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

/** Tests on the shared broker of the run. Topics and groups need unique names (`uniqueName`). */
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
 * Tests with connectors, on a broker that no other file uses. All gateways on one Kafka run the same connectors. So a
 * gateway of another file would get partitions in the middle of a test, and after its kill these partitions would have no
 * member until its session expires.
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

/** Tests that start their own brokers (`startKafka`) to configure or to stop them. */
export const describeOwnKafka = (name: string, body: () => void): void => {
  describeUnless(lackOfOwn, name, body);
};

/** Tests that start their own brokers and run programs with Kafka's own client (`runJava`). */
export const describeJava = (name: string, body: () => void): void => {
  describeUnless(lackOfJava, name, body);
};

let names = 0;

/** A name of a topic or group that no other test uses, not even in an earlier run on the same broker. */
export const uniqueName = (prefix: string): string =>
  `${prefix}-${process.pid}-${Date.now().toString(36)}-${++names}`;

/** `describe` for tests that need a real Kafka: they run where one can be had, and say so where not. */
import { whatJavaProgramsLack } from "./java.ts";
import { isRequired, sharedBrokers, whyNoKafka, whyNoOwnKafka } from "./shared.ts";

const START_TIMEOUT = 120_000;

export interface KafkaUnderTest {
  /** host:port of the broker that the whole test run shares; known inside hooks and tests. */
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

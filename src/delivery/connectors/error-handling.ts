/** Kafka Connect's `errors.*` keys: what happens to a failed record, and its dead letter. */
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import type { DropCause, LetterForm, TopicSelection } from "../engine/delivery-plan.ts";
import { checkDeadLetterTopic, delivers, type GatewayFacts, type Reader } from "./config-reader.ts";
import { ERRORS_KEYS } from "./connect-keys.ts";

export interface ErrorHandling {
  readonly tolerance: "none" | "all";
  readonly deadLetterTopic: string | undefined;
  readonly deadLetterForm: LetterForm;
}

/** `taskClass`: the class that Kafka Connect would name for a failed delivery. */
export const readErrorHandling = (
  reader: Reader,
  topics: TopicSelection,
  { auditTopic }: GatewayFacts,
  taskClass: string,
): ErrorHandling => {
  const { read, fault } = reader;
  const tolerance = read(ERRORS_KEYS.tolerance) ?? "none";
  const given = read(ERRORS_KEYS.deadLetterTopic);
  const replicasAtMost = read(ERRORS_KEYS.replicas) ?? 1;
  const hasContext = read(ERRORS_KEYS.contextHeaders) ?? false;
  if (given !== undefined) {
    checkDeadLetterTopic(reader, ERRORS_KEYS.deadLetterTopic, given, auditTopic);
    if (delivers(topics, given)) fault(ERRORS_KEYS.deadLetterTopic.name, deliveredToo(given, topics));
  }
  return {
    tolerance,
    deadLetterTopic: tolerance === "all" ? given : undefined,
    deadLetterForm: {
      creation: { partitions: 1, replicasAtMost },
      ...(hasContext ? contextForm(taskClass) : PLAIN_FORM),
    },
  };
};

const deliveredToo = (topic: string, topics: TopicSelection): string =>
  "names" in topics
    ? `The DLQ topic '${topic}' may not be included in the list of topics ('topics=[${topics.names.join(", ")}]') consumed by the connector`
    : `The DLQ topic '${topic}' may not be included in the regex matching topics ('topics.regex=${topics.pattern.source}') consumed by the connector`;

/** Key, value and headers are as they were. */
const PLAIN_FORM: LetterForm = {
  unreplayable: `they don't say which record they were; set ${ERRORS_KEYS.contextHeaders.name}=true for later ones`,
  headersOf: ({ headers }) => headers,
  originalOf: () => undefined,
};

const PREFIX = "__connect.errors.";

const header = (name: string, value: string): RecordHeader => ({
  name: `${PREFIX}${name}`,
  value: Buffer.from(value),
});

const withoutContext = ({ headers }: ConsumedRecord): readonly RecordHeader[] =>
  headers.filter(({ name }) => !name.startsWith(PREFIX));

const EXCEPTIONS = {
  VALUE_CONVERTER: "org.apache.kafka.connect.errors.DataException",
  TRANSFORMATION: "org.apache.kafka.connect.errors.ConnectException",
  TASK_PUT: "org.apache.kafka.connect.errors.ConnectException",
} as const;

const contextOf = (record: ConsumedRecord, cause: DropCause, taskClass: string): readonly RecordHeader[] => {
  const { connector, stage, error } = cause;
  return [
    header("topic", record.topic),
    header("partition", String(record.partition)),
    header("offset", String(record.offset)),
    header("connector.name", connector),
    header("task.id", "0"),
    header("stage", stage),
    header("class.name", taskClass),
    header("exception.class.name", EXCEPTIONS[stage]),
    header("exception.message", error),
    header("exception.stacktrace", `${EXCEPTIONS[stage]}: ${error}`),
  ];
};

const textOf = ({ headers }: ConsumedRecord, name: string): string | undefined =>
  headers.find((one) => one.name === `${PREFIX}${name}`)?.value?.toString();

const contextForm = (taskClass: string): LetterForm => ({
  headersOf: (record, cause) => [...withoutContext(record), ...contextOf(record, cause, taskClass)],
  originalOf: (letter, connector) => {
    const topic = textOf(letter, "topic");
    const position = `${textOf(letter, "partition") ?? ""}@${textOf(letter, "offset") ?? ""}`;
    const [, partition, offset] = /^(\d{1,9})@(\d{1,19})$/.exec(position) ?? [];
    if (textOf(letter, "connector.name") !== connector || topic === undefined) return undefined;
    if (partition === undefined || offset === undefined) return undefined;
    const headers = withoutContext(letter);
    return { ...letter, topic, partition: Number(partition), offset: BigInt(offset), headers };
  },
});

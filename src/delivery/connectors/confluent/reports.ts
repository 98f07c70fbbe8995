/** Reports of deliveries, as Confluent's sink writes them to its result topic and its error topic. */
import type { ConsumedRecord, RecordHeader } from "../../../broker/broker.ts";
import type { CreatedTopic, DeliveryEnd, Reports, TopicSelection } from "../../engine/delivery-plan.ts";
import { checkDeadLetterTopic, delivers, type GatewayFacts, type Reader } from "../config-reader.ts";
import { topicName } from "../config-values.ts";
import type { RawConfig } from "../masking.ts";
import { REPORT_KEYS } from "./connector-keys.ts";

interface ReportTopic extends CreatedTopic {
  readonly format: "json" | "string";
}

interface ReportModel {
  /** undefined: no reports of these ends. */
  readonly result: ReportTopic | undefined;
  readonly error: ReportTopic | undefined;
  readonly errorsAs: "error_string" | "http_response";
}

const header = (name: string, value: string | undefined): RecordHeader => ({
  name,
  value: value === undefined ? null : Buffer.from(value),
});

const inputHeaders = ({ offset, timestamp, partition, topic }: ConsumedRecord): readonly RecordHeader[] => [
  header("input_record_offset", String(offset)),
  header("input_record_timestamp", String(timestamp)),
  header("input_record_partition", String(partition)),
  header("input_record_topic", topic),
];

/** The parts of an error report. undefined: unknown. */
const errorOf = ({ url, answer, error }: DeliveryEnd) => ({
  url,
  status: answer === undefined ? undefined : String(answer.status),
  reason: answer?.reason === "" ? undefined : answer?.reason,
  content: answer?.body.toString("utf8"),
  message: error ?? answer?.error,
});

const errorHeaders = (record: ConsumedRecord, end: DeliveryEnd): readonly RecordHeader[] => {
  const { url, status, reason, content, message } = errorOf(end);
  return [
    header("error_message", message),
    header("exception", undefined),
    header("response_content", content),
    header("status_code", status),
    { name: "payload", value: record.value },
    header("reason_phrase", reason),
    header("url", url),
  ];
};

const errorText = (end: DeliveryEnd): string => {
  const { url, status, reason, content, message } = errorOf(end);
  const texts = [
    `HTTP Response code: ${status ?? "null"}`,
    `Reason phrase: ${reason ?? "null"}`,
    `Url: ${url ?? "null"}`,
    `Response content: ${content ?? "null"}`,
    "Exception: null",
    `Error message: ${message ?? "null"}`,
  ];
  return `Retry time lapsed, unable to process HTTP request. ${texts.join(", ")}`;
};

const reportsOf = ({ result, error, errorsAs }: ReportModel): Reports => {
  const topicOf = ({ isDelivered }: DeliveryEnd): ReportTopic | undefined => (isDelivered ? result : error);
  const textOf = (end: DeliveryEnd): string | undefined =>
    end.isDelivered || errorsAs === "http_response" ? end.answer?.body.toString("utf8") : errorText(end);
  return {
    topicOf,
    reportOf: (record, end, now) => {
      const text = textOf(end);
      const shown = topicOf(end)?.format === "json" ? JSON.stringify(text ?? null) : text;
      return {
        key: null,
        value: text === undefined || shown === undefined ? null : Buffer.from(shown),
        headers: end.isDelivered
          ? inputHeaders(record)
          : [...inputHeaders(record), ...errorHeaders(record, end)],
        timestamp: now,
      };
    },
  };
};

type Context = Pick<GatewayFacts, "auditTopic"> & {
  readonly connector: string;
  readonly topics: TopicSelection;
};

const readTopic = (
  reader: Reader,
  keys: (typeof REPORT_KEYS)["result" | "error"],
  { connector, topics, auditTopic }: Context,
): ReportTopic | undefined => {
  const { read, invalid, fault } = reader;
  const given = read(keys.topic) ?? "";
  const partitions = read(keys.partitions) ?? 1;
  const replicasAtMost = read(keys.replicas) ?? 1;
  const format = read(keys.format) ?? "json";
  if (given.trim() === "") return undefined;
  const name = given.replaceAll("${connector}", connector);
  const parsed = topicName(name);
  if ("reason" in parsed) fault(keys.topic.name, `${keys.topic.name} is ${name}: ${parsed.reason}`);
  else if (delivers(topics, name)) invalid(keys.topic.name, "It is one of the delivered topics");
  checkDeadLetterTopic(reader, keys.topic, name, auditTopic);
  return { name, partitions, replicasAtMost, format };
};

/** undefined: no key of the reporter is set, so there are no reports. */
export const readReports = (reader: Reader, config: RawConfig, context: Context): Reports | undefined => {
  const errorsAs = reader.read(REPORT_KEYS.errorsAs) ?? "error_string";
  if (!Object.keys(config).some((name) => name.startsWith("reporter."))) return undefined;
  const result = readTopic(reader, REPORT_KEYS.result, context);
  const error = readTopic(reader, REPORT_KEYS.error, context);
  return reportsOf({ result, error, errorsAs });
};

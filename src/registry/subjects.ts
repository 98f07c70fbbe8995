/** Names of subjects: strategies, contexts, and names that a URL can't carry. */
import { GatewayError } from "../errors.ts";
import { cut } from "../lib/text.ts";
import type { SubjectChoice } from "./contract.ts";

const DEFAULT_CONTEXT = ":.:";
/** Characters. Servers refuse a request line beyond 4 to 8 KiB. */
const LONGEST_SEGMENT = 3000;

const STRATEGY_NAMES = {
  "topic-name": "TOPIC_NAME",
  "record-name": "RECORD_NAME",
  "topic-record-name": "TOPIC_RECORD_NAME",
} as const;

/** Why the registry can't have a subject of this name; undefined: it can. */
const faultOf = (subject: string): string | undefined => {
  if (subject === "") return "it is empty";
  if (subject === "." || subject === "..") return "it would not survive in a URL";
  if (/[\p{Cc}\p{Cs}]/u.test(subject)) return "it has control characters or half a surrogate pair";
  return encodeURIComponent(subject).length > LONGEST_SEGMENT
    ? `it has more than ${LONGEST_SEGMENT} characters when it is percent-encoded`
    : undefined;
};

/** Throws SCHEMA_UNKNOWN for a name that no subject can have. */
export const checkSubject = (subject: string): void => {
  const fault = faultOf(subject);
  if (fault !== undefined) {
    throw new GatewayError("SCHEMA_UNKNOWN", {
      message: `No subject can have the name ${JSON.stringify(cut(subject, 100))}: ${fault}`,
    });
  }
};

/** `:.ctx:name` is the subject `name` of the context `.ctx`. Returns the empty string for the default context. */
export const contextOf = (subject: string | undefined): string => {
  const context = /^:(\.[^:]*):/.exec(subject ?? "")?.[1] ?? "";
  return context === "." ? "" : context;
};

/** The subject that a schema of `parent` refers to: without a context of its own it is in the context of `parent`. */
export const referredSubject = (subject: string, parent: string | undefined): string => {
  const context = contextOf(parent);
  if (subject.startsWith(DEFAULT_CONTEXT)) return subject.slice(DEFAULT_CONTEXT.length);
  return context === "" || subject.startsWith(":.") ? subject : `:${context}:${subject}`;
};

/** The subject, unchecked, if it can be told without the schema's name. */
export const givenSubject = (choice: SubjectChoice): string | undefined => {
  if ("subject" in choice) return choice.subject;
  return choice.strategy === "topic-name" ? `${choice.topic}-${choice.part}` : undefined;
};

/** The subject by the schema's name, unchecked. Throws SCHEMA_UNKNOWN if the strategy needs a name and the schema has no name. */
export const subjectFor = (choice: SubjectChoice, record: string | undefined): string => {
  const given = givenSubject(choice);
  if (given !== undefined || !("strategy" in choice)) return given ?? "";
  if (record === undefined) {
    throw new GatewayError("SCHEMA_UNKNOWN", {
      message: `The strategy ${STRATEGY_NAMES[choice.strategy]} needs the schema's name, and the schema has none`,
    });
  }
  return choice.strategy === "record-name" ? record : `${choice.topic}-${record}`;
};

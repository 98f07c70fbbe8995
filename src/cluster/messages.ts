/** The messages between the supervisor and its workers, on the IPC channel of node:cluster. */
import type { ListenerName } from "../app/listeners.ts";
import type { Answers, Gathered, Question } from "../app/questions.ts";
import type { Attempt } from "../app/reload-control.ts";
import type { TlsFiles } from "../app/read-tls.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { AuditLine } from "../observability/audit.ts";
import type { ReloadAnswer, ReloadStatus } from "../http/handlers/operations/reload.ts";
import type { FromMain, ToMain } from "../spool/messages.ts";

/** Number of a worker's slot, from 1. A worker that replaces another worker has the same number. */
export type Slot = number;

export type ToWorker =
  /** Comes before `begin` if there is a spool. */
  | { readonly type: "spool-begin"; readonly folder: string; readonly run: number }
  | { readonly type: "spool"; readonly message: FromMain }
  | {
      readonly type: "begin";
      readonly slot: Slot;
      readonly settings: Settings;
      readonly tls: TlsFiles;
      readonly status: ReloadStatus;
    }
  /** A connection to serve is attached. */
  | { readonly type: "connection"; readonly listener: ListenerName; readonly id: number }
  /** A listening socket is attached; the worker accepts connections at it. */
  | { readonly type: "listener"; readonly listener: ListenerName }
  /** Stop accepting connections, and answer with `shut`. */
  | { readonly type: "shut" }
  /** A question about this worker. */
  | { readonly type: "ask"; readonly id: number; readonly name: Question; readonly about: string }
  /** The answers to a question that this worker asked. */
  | { readonly type: "answers"; readonly id: number; readonly gathered: Gathered<unknown> }
  /** Build the parts for these settings, and serve with the old ones. Answer with `preparing` each second, then `prepared`. */
  | ({ readonly type: "prepare" } & Attempt)
  /** Take the prepared settings into use in this turn of the event loop, and answer with `swapped`. */
  | { readonly type: "swap"; readonly attempt: number }
  | { readonly type: "discard"; readonly attempt: number }
  | { readonly type: "reload-status"; readonly status: ReloadStatus }
  /** A line that the supervisor has written, and can't store. Answer with `audit-taken`. */
  | { readonly type: "audit"; readonly id: number; readonly line: AuditLine }
  /** The answer to `reload`. */
  | { readonly type: "reload-ended"; readonly id: number; readonly answer: ReloadAnswer }
  /** End within `graceMs` milliseconds. */
  | { readonly type: "stop"; readonly graceMs: number };

export type ToSupervisor =
  | { readonly type: "spool"; readonly message: ToMain }
  /** The worker reads its channel. */
  | { readonly type: "born" }
  /** The worker takes connections. */
  | { readonly type: "ready" }
  /** The worker has received the connection. */
  | { readonly type: "taken"; readonly listener: ListenerName; readonly id: number }
  /** The worker has stopped accepting connections. */
  | { readonly type: "shut" }
  /** The worker got SIGTERM. It asks for `stop`, which the channel delivers after the last connection. */
  | { readonly type: "leaving" }
  /** The start failed because of the settings. */
  | { readonly type: "refused"; readonly message: string }
  /** A question to all workers, including the worker that asks. */
  | { readonly type: "ask-all"; readonly id: number; readonly name: Question; readonly about: string }
  | { readonly type: "preparing"; readonly attempt: number }
  | { readonly type: "prepared"; readonly attempt: number; readonly fault: string | undefined }
  | { readonly type: "swapped"; readonly attempt: number }
  /** The worker stores the line of `audit`. */
  | { readonly type: "audit-taken"; readonly id: number }
  /** A request for a reload at this worker. */
  | { readonly type: "reload"; readonly id: number; readonly dryRun: boolean }
  /** `answer` is undefined if the worker has none. */
  | {
      readonly type: "answer";
      readonly id: number;
      readonly name: Question;
      readonly answer: Answers[Question] | undefined;
    };

/** What a supervisor and its workers say to each other, over the channel that node keeps between them. */
import type { ListenerName } from "../app/listeners.ts";
import type { Answers, Gathered, Question } from "../app/questions.ts";
import type { Settings } from "../config/schema/schema.ts";

/** A worker's place, from 1 on: a worker that takes over from a dead one has the dead one's number. */
export type Slot = number;

export type ToWorker =
  | { readonly type: "begin"; readonly slot: Slot; readonly settings: Settings }
  /** Comes with a connection to serve. */
  | { readonly type: "connection"; readonly listener: ListenerName; readonly id: number }
  /** Comes with a listening socket, to accept connections from. */
  | { readonly type: "door"; readonly listener: ListenerName }
  /** Accept none any more, and say so. */
  | { readonly type: "shut" }
  /** A question about this worker. */
  | { readonly type: "ask"; readonly id: number; readonly name: Question; readonly about: string }
  /** The answers to the worker's own question. */
  | { readonly type: "answers"; readonly id: number; readonly gathered: Gathered<unknown> }
  /** End within so many milliseconds. */
  | { readonly type: "stop"; readonly graceMs: number };

export type ToSupervisor =
  /** The worker listens to its channel. */
  | { readonly type: "born" }
  /** The worker takes connections. */
  | { readonly type: "ready" }
  /** The worker has the connection. */
  | { readonly type: "taken"; readonly listener: ListenerName; readonly id: number }
  /** The worker accepts no connection any more. */
  | { readonly type: "shut" }
  /** The worker was asked to end by somebody else, and wants the word to stop behind its last connection. */
  | { readonly type: "leaving" }
  /** The settings have a fault that only showed when they were used. */
  | { readonly type: "refused"; readonly message: string }
  /** The worker asks all workers, itself included. */
  | { readonly type: "ask-all"; readonly id: number; readonly name: Question; readonly about: string }
  /** undefined: the worker has no answer. */
  | {
      readonly type: "answer";
      readonly id: number;
      readonly name: Question;
      readonly answer: Answers[Question] | undefined;
    };

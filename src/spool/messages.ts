/** The messages between the main process of a pod and its workers. `docs/decisions/0008-spool.md` explains them. */

/** Messages of a worker about one topic. */
export type ToPod =
  /** The worker has begun to spool the topic by itself. */
  | { readonly type: "first" }
  /** From now on the worker spools the topic. */
  | { readonly type: "spools"; readonly round: number }
  /** The worker holds new events of the topic, and no write of it to the spool is in flight. */
  | { readonly type: "holds"; readonly round: number };

export type FromPod =
  | { readonly type: "spool"; readonly round: number }
  /** All workers spool the topic: their spooled events may be answered. */
  | { readonly type: "answer"; readonly round: number }
  | { readonly type: "hold"; readonly round: number }
  /** No folder has events of the topic: held and later events go to Kafka. */
  | { readonly type: "direct"; readonly round: number };

export type FromDrainer =
  /** A folder has events of the topic. */
  | { readonly type: "found" }
  /** Only a rest is left, and Kafka answers. */
  | { readonly type: "rest" }
  /** All events of the topic are drained. The answer to `finish` with this round. */
  | { readonly type: "empty"; readonly round: number };

export type ToDrainer =
  /** Drain the topic. After `finish`: workers write events again. */
  | { readonly type: "drain" }
  /** No worker writes events of the topic: answer `empty` when all are drained. */
  | { readonly type: "finish"; readonly round: number }
  /** The topic is direct: no folder has events of it. */
  | { readonly type: "rest" };

/** All messages of a worker to the main process. */
export type ToMain =
  | { readonly type: "topic"; readonly topic: string; readonly message: ToPod }
  | { readonly type: "drainer"; readonly topic: string; readonly message: FromDrainer }
  /** The worker needs this number of bytes for its folder. The answer is `room`. */
  | { readonly type: "room"; readonly bytes: number }
  /** The drainer has added bytes to the files of a folder, or has deleted some: then the number is negative. */
  | { readonly type: "changed"; readonly folder: string; readonly bytes: number }
  /** The worker could not write this number of bytes to its folder. */
  | { readonly type: "unwritten"; readonly bytes: number }
  /** The answer to `status`. */
  | { readonly type: "alive" }
  /** The worker spools and drains no event any more. */
  | { readonly type: "left" };

/** All messages of the main process to a worker. */
export type FromMain =
  | { readonly type: "topic"; readonly topic: string; readonly message: FromPod }
  | { readonly type: "drainer"; readonly topic: string; readonly message: ToDrainer }
  /** To the drainer: the folders of this run whose worker has ended. */
  | { readonly type: "ended"; readonly folders: readonly string[] }
  /** The worker may write this number of bytes more than before. 0: the spool is full. */
  | { readonly type: "room"; readonly bytes: number }
  /** Whether the spool's disk takes writes. Sent when that changes, and to a worker that starts while it does not. */
  | { readonly type: "disk"; readonly isWritable: boolean }
  /** Sent each second while a topic is not direct. Answer with `alive`. */
  | { readonly type: "status"; readonly hasRoom: boolean };

/** The worker's end of its channel to the main process. Both ends get all messages in the order in which they were sent. */
export interface SpoolChannel {
  /** The folder of this worker: a path. */
  readonly folder: string;
  /** Number of the run. */
  readonly run: number;
  send(message: ToMain): void;
  /** Calls `listener` for each message, also for those that have come before. */
  listen(listener: (message: FromMain) => void): void;
}

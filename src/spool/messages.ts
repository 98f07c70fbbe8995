/** The messages between the main process, its workers and the drainer about one topic. `docs/decisions/0008-spool.md` explains them. */
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

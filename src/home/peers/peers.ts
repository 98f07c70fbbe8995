/**
 * Requests between gateway processes. A process that receives a client's call forwards it to the process that holds the
 * call's slot. Each process serves `/peer/…` on its peer port; every request is signed (`signature.ts`). A process can have
 * several homes: the path names the home.
 */
import { asGatewayError, type GatewayError } from "../../errors.ts";

/** A process as the assignment names it. The id is new after each lost session, so a request for an old id is refused. */
export interface Peer {
  readonly id: string;
  /** `host:port`; an IPv6 address stands in brackets. */
  readonly address: string;
}

/** A call for a slot, from the process that has the client's connection. */
export interface PeerCall {
  /** Begins with `/`; the service of the slot gives it a meaning. */
  readonly path: string;
  /** May be made when it is read, so it is read once. */
  readonly body: Buffer;
  /** What the body says, for a service in this process. undefined: the call comes from another process. */
  readonly message?: unknown;
  /** Milliseconds that the caller waits for an answer. */
  readonly waitMs: number;
  /** Aborted when the client disconnects, or when the connection between the processes breaks. */
  readonly signal: AbortSignal;
}

/** The call with this waiting time. Its body is made when it is read. */
export const limited = (call: PeerCall, waitMs: number): PeerCall => new LimitedCall(call, waitMs);

/** A class, because an object literal with a getter stays in memory until the next major collection (docs/performance.md). */
class LimitedCall implements PeerCall {
  readonly path: string;
  readonly message: unknown;
  readonly signal: AbortSignal;
  readonly waitMs: number;
  readonly #call: PeerCall;

  constructor(call: PeerCall, waitMs: number) {
    this.path = call.path;
    this.message = call.message;
    this.signal = call.signal;
    this.waitMs = waitMs;
    this.#call = call;
  }

  get body(): Buffer {
    return this.#call.body;
  }
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As in `PeerCall`. */
  readonly body: Buffer;
  /** As in `PeerCall`, for a caller in this process. */
  readonly message?: unknown;
  /**
   * Must be called once, when the answer to the client has ended. False: the client did not get all of it. Later calls
   * have no effect.
   */
  readonly ended: (sentWhole: boolean) => void;
  /** False: the process that holds the slot needs no report of the end. Default: true. */
  readonly reportsEnd?: false;
  /** Set by `Home.callSlot`: an earlier attempt may have reached a process, which did not answer or had lost the slot. */
  isRepeated?: boolean;
}

/**
 * `moved`: the process doesn't hold the slot. `refused`: the process has another id now, or other keys, or its clock differs.
 * `unsent`: the process can't be reached, and it has not seen the call. `broken`: the connection broke before the answer; the
 * process may have seen the call. `silent`: the process has not answered any sign of life for 5 s; it may have seen the call.
 */
export type NoAnswer = "moved" | "refused" | "unsent" | "broken" | "silent";

/** Sends requests to other processes. */
export interface Peers {
  /** Rejects with the GatewayError of the service, or with the signal's reason if the signal is aborted. */
  call(to: Peer, slot: number, call: PeerCall): Promise<PeerAnswer | NoAnswer>;
  /** The names that live in the slot; undefined: no answer within 10 s, or the process doesn't hold the slot. */
  ask(to: Peer, slot: number, generation: number): Promise<readonly string[] | undefined>;
  /** Gives the slot to the next process. False: the process refuses it, or there is no answer. */
  given(to: Peer, slot: number, generation: number): Promise<boolean>;
  /** Breaks all connections. */
  close(): Promise<void>;
}

/** Answers the requests of other processes. */
export interface PeerHandler {
  /** A rejection with a GatewayError reaches the caller with its code and its text. */
  call(slot: number, call: PeerCall): Promise<PeerAnswer | "moved">;
  ask(slot: number, generation: number): Promise<readonly string[] | undefined>;
  given(slot: number, generation: number): Promise<boolean>;
}

/** A home, as the peer port of its process knows it. */
export interface PeerHome {
  /** The current id of this process in the home's group; requests for another id are refused. */
  readonly id: string;
  readonly handler: PeerHandler;
}

/** The path under which a home is served. No name: the home of readers' groups, which had no name in earlier versions. */
export const homePath = (name?: string): string => (name === undefined ? "/peer" : `/peer/${name}`);

/** What the answer's head carries besides the body. Without an id, the end of the answer is not reported. */
export type AnswerHead =
  | {
      readonly id?: string;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly error: Pick<GatewayError, "code" | "message">; readonly retryAfter?: number | undefined };

/** The head of the answer to a call that was rejected. */
export const headOfError = (error: unknown): AnswerHead => {
  const { code, message, retryAfter } = asGatewayError(error);
  return { error: { code, message }, retryAfter };
};

/** The header with the base64 of the JSON of an `AnswerHead`. */
export const ANSWER_HEADER = "x-stationgate-answer";
/** 421 Misdirected Request (RFC 9110, 15.5.20): the process doesn't hold the slot. */
export const MOVED_STATUS = 421;

/**
 * Sends requests to other processes. A connection is free again only after the end of its answer was reported: so the end
 * of a connection tells the other process which answers were cut.
 */
import type { Client } from "undici";
import { GatewayError } from "../../errors.ts";
import { type Bundler, createBundler } from "./bundler.ts";
import {
  createLink,
  errorOf,
  FORBIDDEN_STATUS,
  type Link,
  type LinkOptions,
  noAnswerOf,
  NoMemory,
  type Reply,
  type UnderWay,
  withoutReport,
} from "./peer-link.ts";
import {
  type AnswerHead,
  homePath,
  MOVED_STATUS,
  type NoAnswer,
  type Peer,
  type PeerAnswer,
  type PeerCall,
  type Peers,
} from "./peers.ts";

export interface PeerClientOptions extends Omit<LinkOptions, "peer" | "onIdle" | "path"> {
  /** The home's name, as in `homePath`. */
  readonly name?: string;
  /**
   * Maximum bytes of a bundle: calls for one process that are made at the same time share a request. Only for a home whose
   * answers need no report of their end. undefined: each call has a request.
   */
  readonly bundleBytes?: number | undefined;
}

/** Milliseconds that a request without a call may take. */
const BRIEF_TIMEOUT_MS = 10_000;

const NOTHING = Buffer.alloc(0);

export const createPeerClient = (options: PeerClientOptions): Peers => {
  const links = new Map<string, Link>();
  const bundlers = new Map<string, Bundler>();
  const path = homePath(options.name);

  const linkTo = (peer: Peer): Link => {
    const name = `${peer.id} ${peer.address}`;
    const known = links.get(name);
    if (known !== undefined) return known;
    const onIdle = (): void => {
      links.delete(name);
      bundlers.delete(name);
    };
    const link = createLink({ ...options, path, peer, onIdle });
    links.set(name, link);
    return link;
  };

  const bundlerTo = (peer: Peer, maxBytes: number): Bundler => {
    const name = `${peer.id} ${peer.address}`;
    const link = (): Link => linkTo(peer);
    const known = bundlers.get(name) ?? createBundler({ link, path, memory: options.memory, maxBytes });
    bundlers.set(name, known);
    return known;
  };

  /** undefined: no answer. */
  const brief = async (peer: Peer, request: string): Promise<Reply | undefined> => {
    const link = linkTo(peer);
    const connection = link.take();
    try {
      const reply = await link.post(
        connection,
        `${path}/${request}`,
        NOTHING,
        AbortSignal.timeout(BRIEF_TIMEOUT_MS),
      );
      options.memory.give(reply.body.length);
      link.release(connection);
      return reply;
    } catch {
      link.drop(connection);
      return undefined;
    }
  };

  return {
    call: (to, slot, call) => {
      const { bundleBytes, memory } = options;
      if (bundleBytes !== undefined) return bundlerTo(to, bundleBytes).call(slot, call);
      return forward({ link: linkTo(to), path, memory }, slot, call);
    },
    ask: async (to, slot, generation) => {
      const reply = await brief(to, `ask?slot=${slot}&generation=${generation}`);
      return reply?.status === 200 ? (JSON.parse(reply.body.toString()) as readonly string[]) : undefined;
    },
    given: async (to, slot, generation) =>
      (await brief(to, `given?slot=${slot}&generation=${generation}`))?.status === 204,
    close: () => {
      for (const link of [...links.values()]) link.close();
      return Promise.resolve();
    },
  };
};

interface Forwarding extends Pick<LinkOptions, "path" | "memory"> {
  readonly link: Link;
}

const forward = async (
  forwarding: Forwarding,
  slot: number,
  call: PeerCall,
): Promise<PeerAnswer | NoAnswer> => {
  const { link, memory } = forwarding;
  const connection = link.take();
  const cut = new AbortController();
  const underWay: UnderWay = {
    onCut: () => {
      cut.abort();
    },
  };
  const path = `${forwarding.path}/call?slot=${slot}&path=${encodeURIComponent(call.path)}&wait=${call.waitMs}`;
  link.begin(underWay);
  try {
    const signal = AbortSignal.any([call.signal, cut.signal]);
    const reply = await link.post(connection, path, call.body, signal);
    const head = headOf(reply);
    if (head !== undefined && "status" in head) {
      if (head.id !== undefined) {
        underWay.answer = head.id;
        return answerOf({ ...forwarding, connection, underWay }, head, reply.body);
      }
      link.end(underWay);
      link.release(connection);
      return withoutReport(head, reply.body, memory);
    }
    memory.give(reply.body.length);
    link.end(underWay);
    if (reply.status === FORBIDDEN_STATUS) {
      link.drop(connection);
      return "refused";
    }
    link.release(connection);
    if (head !== undefined) throw errorOf(head);
    return "moved";
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    link.end(underWay);
    link.drop(connection);
    if (error instanceof NoMemory) throw new GatewayError("OVERLOADED", { cause: error });
    call.signal.throwIfAborted();
    return noAnswerOf(error, cut.signal.aborted);
  }
};

/** undefined: the process doesn't hold the slot, or has another id. */
const headOf = ({ status, head }: Reply): AnswerHead | undefined => {
  if (status === 200) return JSON.parse(Buffer.from(head, "base64").toString()) as AnswerHead;
  if (status === MOVED_STATUS || status === FORBIDDEN_STATUS) return undefined;
  throw new TypeError(`a process answered ${status} on its peer port`);
};

type AnswerWithHead = Extract<AnswerHead, { status: number }>;

interface Forwarded extends Forwarding {
  readonly connection: Client;
  readonly underWay: UnderWay;
}

const answerOf = (
  { link, path, connection, underWay, memory }: Forwarded,
  { id, status, headers }: AnswerWithHead,
  body: Buffer,
): PeerAnswer => {
  let isOpen = true;
  const report = async (sentWhole: boolean): Promise<void> => {
    const signal = AbortSignal.timeout(BRIEF_TIMEOUT_MS);
    try {
      const reply = await link.post(
        connection,
        `${path}/ended?answer=${id}&sent=${sentWhole}`,
        NOTHING,
        signal,
      );
      memory.give(reply.body.length);
      link.release(connection);
    } catch {
      link.drop(connection);
    } finally {
      link.end(underWay);
    }
  };
  return {
    status,
    headers,
    body,
    ended: (sentWhole) => {
      if (!isOpen) return;
      isOpen = false;
      memory.give(body.length);
      void report(sentWhole);
    },
  };
};

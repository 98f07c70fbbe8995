/** Consumer groups of readers: which names a principal may use, and what the group is called in Kafka. */
import { GatewayError } from "../errors.ts";
import { compilePatterns } from "./patterns.ts";
import type { Principal } from "./principal.ts";

/** Groups of connectors, of the gateway itself and of the event service: no reader ever uses one of them. */
const isReserved = compilePatterns([
  "connect-*",
  "stationgate-*",
  "_stationgate*",
  "group-callback-api",
  "group-client-status-callback*",
]);

/** The embedded log stores a group's name in a key of LMDB, which holds no longer one. */
const LONGEST_BYTES = 1500;

/** Kafka takes any text. Logs and tools can't show or address a control character or half a surrogate pair. */
const NOT_TEXT = /[\p{Cc}\p{Cs}]/u;

type Reader = Pick<Principal, "name" | "readsGroup">;

/**
 * The name in Kafka of the group that a principal asks for; undefined: the principal's own group. Throws
 * GROUP_FORBIDDEN, and REQUEST_INVALID for a name that can't be stored.
 */
export const groupOf = ({ name, readsGroup }: Reader, asked: string | undefined): string => {
  if (asked === undefined) return storable(`stationgate-${ownName(name)}`);
  if (NOT_TEXT.test(asked)) throw invalid("must be text without control characters");
  if (isReserved(asked))
    throw forbidden(`Group "${asked}" is reserved for the gateway: no "groups" setting allows it`);
  if (readsGroup === undefined) return storable(`stationgate-${encodeURIComponent(name)}/${asked}`);
  if (readsGroup(asked)) return storable(asked);
  throw forbidden(`${name} is not allowed to use group "${asked}": its "groups" setting does not name it`);
};

/** Names of most principals stay as they are. "/" and "%" would let one principal's group be called like another's. */
const ownName = (name: string): string => (/[/%]/.test(name) ? encodeURIComponent(name) : name);

const storable = (group: string): string => {
  if (Buffer.byteLength(group) <= LONGEST_BYTES) return group;
  throw invalid(`is too long: "${group.slice(0, 40)}…" has more than ${LONGEST_BYTES} bytes`);
};

const forbidden = (message: string): GatewayError => new GatewayError("GROUP_FORBIDDEN", { message });

const invalid = (fault: string): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: `consumer_group ${fault}` });

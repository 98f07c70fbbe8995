/**
 * Decides which addresses a delivery may connect to: public addresses, and those that the operator allows. Addresses of
 * the machine, of private networks and of cloud metadata services are refused. Each new connection is checked after DNS.
 */
import { lookup as resolve, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { GatewayError } from "../../errors.ts";

export interface Targets {
  /** True if a delivery to a URL with this host may connect to this address. */
  allows(host: string, address: string): boolean;
  /** Why a URL's host is refused, checked without DNS. undefined: it is not refused. */
  refusalOf(hostname: string): string | undefined;
  /** Like `dns.lookup`, but leaves out refused addresses. Fails if no address is left. */
  readonly lookup: LookupFunction;
  /** Changes with the allowed addresses: a connection that was opened before may lead to an address that is refused now. */
  readonly revision: number;
}

/** Addresses that aren't public (RFC 6890 and its successors), and metadata services that have public addresses. */
const CLOSED = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

const parseCidr = (entry: string): { network: string; prefix: number } | undefined => {
  const [network = "", prefix, ...rest] = entry.split("/");
  const version = isIP(network);
  if (version === 0 || rest.length > 0) return undefined;
  const longest = version === 6 ? 128 : 32;
  const length = prefix === undefined ? longest : Number(prefix);
  return Number.isInteger(length) && length >= 0 && length <= longest
    ? { network, prefix: length }
    : undefined;
};

const blockListOf = (entries: readonly string[]): BlockList => {
  const blocks = new BlockList();
  for (const entry of entries) {
    const cidr = parseCidr(entry);
    if (cidr !== undefined) blocks.addSubnet(cidr.network, cidr.prefix, familyOf(cidr.network));
  }
  return blocks;
};

const normalHost = (host: string): string => host.toLowerCase().replace(/\.$/, "");

/** RFC 6761, 6.3: every name that ends in `localhost` is loopback. */
const isLocalhost = (host: string): boolean => /(?:^|\.)localhost$/.test(normalHost(host));

/** `through`: the host name that resolved to the address. */
export const targetRefused = (address: string, through?: string): GatewayError =>
  new GatewayError("TARGET_REFUSED", {
    message: `${through === undefined ? address : `${through} resolves to ${address}, which`} is not a public address; add it to delivery.allowTargets to allow it`,
  });

/** `allowed`: CIDRs, addresses and host names that are allowed besides public addresses. `*.corp.example` allows all names below. */
export const createTargets = (allowed: readonly string[]): Targets => {
  const closed = blockListOf(CLOSED);
  const opened = blockListOf(allowed);
  const hosts = new Set(allowed.filter((entry) => parseCidr(entry) === undefined).map(normalHost));

  const isNamed = (host: string): boolean =>
    hosts.has(host) || [...hosts].some((entry) => entry.startsWith("*.") && host.endsWith(entry.slice(1)));

  const allows = (host: string, address: string): boolean => {
    if (isNamed(normalHost(host))) return true;
    const family = familyOf(address);
    return opened.check(address, family) || !closed.check(address, family);
  };

  /** The URL parser has already normalised the spelling of an address. */
  const refusalOf = (hostname: string): string | undefined => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const addresses = isLocalhost(host) ? ["127.0.0.1", "::1"] : [host].filter((one) => isIP(one) !== 0);
    if (addresses.length === 0 || addresses.some((address) => allows(host, address))) return undefined;
    return targetRefused(host).message;
  };

  const lookup: LookupFunction = (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const open: LookupAddress[] = addresses.filter(({ address }) => allows(host, address));
      const [first] = open;
      if (first === undefined) callback(targetRefused(addresses[0]?.address ?? "no address", host), []);
      else if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };

  return { allows, refusalOf, lookup, revision: 0 };
};

export interface ChangingTargets extends Targets {
  /** Takes another list into use. */
  allow(allowed: readonly string[]): void;
}

/** As `createTargets`, with a list that a reload can change. */
export const createChangingTargets = (allowed: readonly string[]): ChangingTargets => {
  let present = createTargets(allowed);
  let list = JSON.stringify(allowed);
  let revision = 0;
  return {
    allows: (host, address) => present.allows(host, address),
    refusalOf: (hostname) => present.refusalOf(hostname),
    lookup: (...question) => {
      present.lookup(...question);
    },
    get revision() {
      return revision;
    },
    allow: (next) => {
      if (JSON.stringify(next) === list) return;
      list = JSON.stringify(next);
      present = createTargets(next);
      revision += 1;
    },
  };
};

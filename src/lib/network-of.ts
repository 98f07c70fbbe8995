import { isIPv6 } from "node:net";

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/** The first 64 bits are the network. An IPv6 client can choose any address in it. */
const GROUPS = 4;

/**
 * The key of a client in limits by address: the IPv4 address, or the /64 network of the IPv6 address. An IPv4-mapped IPv6
 * address counts as IPv4.
 */
export const networkOf = (address: string): string => {
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  // An IPv4 part at the end has the length of two groups.
  const length =
    before.length + after.length + ([...before, ...after].at(-1)?.includes(".") === true ? 1 : 0);
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - length }, () => "0");
  const groups = [...before, ...zeros, ...after].slice(0, GROUPS);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
};

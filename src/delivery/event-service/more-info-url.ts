/** `more_info_url`: the page on which a client's user sees a transaction, with a token that is valid for a limited time. */
import { claimsToken } from "../../auth/tokens.ts";
import type { JsonObject } from "./json-tree.ts";

export interface MoreInfoOptions {
  /** Its query and fragment are left out. */
  readonly baseUrl: string;
  /** HS256 key. */
  readonly secret: string;
  readonly ttlSeconds: number;
  /** Members of the transaction to copy into the token's `data`. */
  readonly txnFields: readonly string[];
}

/** The name of the client that has this domain. undefined: no client has it. */
export type ClientNameOf = (domain: string) => string | undefined;

const FIELDS = ["kind", "message", "memo", "memo_type", "quote_id", "client_domain"];
const FIELDS_OF_SEP_6 = [...FIELDS, "type", "refund_memo", "refund_memo_type"];

/** Each call makes a new token. `now`: milliseconds since the epoch. */
export const moreInfoUrl = (
  { baseUrl, secret, ttlSeconds, txnFields }: MoreInfoOptions,
  { sep, transaction, now, clientNameOf }: MoreInfoRequest,
): string => {
  const id = textAt(transaction, "id") ?? "";
  const domain = textAt(transaction, "client_domain");
  const name = domain === undefined ? undefined : clientNameOf(domain);
  const token = claimsToken(secret, {
    jti: id,
    exp: Math.floor(now / 1000) + ttlSeconds,
    ...(domain !== undefined && { client_domain: domain }),
    data: dataOf(sep, transaction, txnFields),
    ...(name !== undefined && { client_name: name }),
  });
  const [bare = ""] = baseUrl.split(/[?#]/, 1);
  return `${bare}?${new URLSearchParams({ transaction_id: id }).toString()}&token=${token}`;
};

export interface MoreInfoRequest {
  readonly sep: string;
  readonly transaction: JsonObject;
  readonly now: number;
  readonly clientNameOf: ClientNameOf;
}

const textAt = (transaction: JsonObject, name: string): string | undefined => {
  const value = transaction.get(name);
  return typeof value === "string" ? value : undefined;
};

const dataOf = (
  sep: string,
  transaction: JsonObject,
  wanted: readonly string[],
): Readonly<Record<string, string>> => {
  const known = sep === "6" ? FIELDS_OF_SEP_6 : FIELDS;
  const data: Record<string, string> = {};
  for (const name of wanted.filter((field) => known.includes(field))) {
    const text = textAt(transaction, name);
    if (text !== undefined) data[name] = name === "kind" ? text.toUpperCase().replaceAll("-", "_") : text;
  }
  return data;
};

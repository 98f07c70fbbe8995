/** Headers of the requests: configured headers with templates, credentials, and the headers of the record. */
import type { PreparedRecord } from "../../engine/delivery-plan.ts";
import type { Reader } from "../config-reader.ts";
import { headerFault, type HeaderPair, parseHeaders } from "../config-values.ts";
import { fill, headerText, parseTemplate, type Template, type TemplateSource } from "./template.ts";
import type { ApiKeys } from "./api-keys.ts";

export interface HeaderTemplates {
  readonly pairs: readonly { readonly name: string; readonly value: Template }[];
  /** Names of `pairs` in lower case. */
  readonly names: ReadonlySet<string>;
}

const templatesOf = (pairs: readonly HeaderPair[]): HeaderTemplates => ({
  pairs: pairs.map(([name, value]) => ({ name, value: parseTemplate(value) })),
  names: new Set(pairs.map(([name]) => name.toLowerCase())),
});

/** A header of `others` is left out if a configured header has its name. */
export const readHeaders = (
  { read, invalid }: Reader,
  keys: Pick<ApiKeys, "headers" | "headerSeparator">,
  others: readonly HeaderPair[],
): HeaderTemplates => {
  const raw = read(keys.headers) ?? "";
  const separator = read(keys.headerSeparator) ?? "|";
  const parsed = parseHeaders(raw, separator);
  if ("reason" in parsed) {
    invalid(keys.headers.name, parsed.reason);
    return templatesOf([]);
  }
  const configured = templatesOf(parsed.value);
  return templatesOf([
    ...parsed.value,
    ...others.filter(([name]) => !configured.names.has(name.toLowerCase())),
  ]);
};

/** Headers of a record that belong to one connection, frame a message, or are set by the gateway. */
const NOT_SENT = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"],
  ...["trailer", "transfer-encoding", "upgrade", "expect", "host", "content-length", "content-type"],
  // The engine continues the trace of the record with its own headers.
  ...["traceparent", "tracestate"],
]);

const recordHeaders = ({ headers }: PreparedRecord, configured: ReadonlySet<string>): readonly HeaderPair[] =>
  headers.flatMap(({ name, value }) => {
    const lower = name.toLowerCase();
    if (NOT_SENT.has(lower) || configured.has(lower)) return [];
    const pair: HeaderPair = [name, value === null ? "" : headerText(value)];
    return headerFault(pair) === undefined ? [pair] : [];
  });

type FilledHeaders = { readonly headers: readonly string[] } | { readonly reason: string };

/** Names and values, alternating. `withContentType` false: the request has no body. */
export const fillHeaders = (
  { pairs, names }: HeaderTemplates,
  source: TemplateSource & { readonly record: PreparedRecord },
  withContentType: boolean,
): FilledHeaders => {
  const headers: string[] = [];
  for (const { name, value } of pairs) {
    if (!withContentType && name.toLowerCase() === "content-type") continue;
    const filled = fill(value, source, headerText);
    if ("reason" in filled) return filled;
    const fault = headerFault([name, filled.text]);
    if (fault !== undefined) return { reason: fault };
    headers.push(name, filled.text);
  }
  return { headers: [...headers, ...recordHeaders(source.record, names).flat()] };
};

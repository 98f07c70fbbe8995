/** Fetches an issuer's discovery document (OpenID Connect Discovery 1.0) and its key set. */
import { isProtectedUrl } from "../../lib/loopback.ts";
import { cut } from "../../lib/text.ts";
import { createJsonClient, FetchFailure } from "../json-request.ts";
import { isJsonObject, type JsonObject } from "./jws.ts";

interface FetchedDocument {
  readonly value: unknown;
  /** The header `Cache-Control`. */
  readonly cacheControl: string;
}

/** Rejects unless the answer is 200 with a JSON text of at most 256 KiB. Follows no redirect. */
export type GetDocument = (url: string, signal: AbortSignal) => Promise<FetchedDocument>;

/** `ca`: texts of PEM certificates, which are trusted instead of the system's. */
export const createDocumentClient = (ca: string | undefined): GetDocument => {
  const request = createJsonClient(ca);
  return async (url, signal) => {
    const { status, headers, value } = await request({ url }, signal);
    if (status !== 200) throw new FetchFailure(`${url} answered ${status}`);
    if (value === undefined) throw new FetchFailure(`${url} did not answer JSON`);
    return { value, cacheControl: headers["cache-control"] ?? "" };
  };
};

export interface IssuerDocuments {
  /** The discovery document; undefined: the settings name the URL of the keys, and the gateway does not read it. */
  readonly discovery: JsonObject | undefined;
  readonly keySet: unknown;
  /** `max-age` of the key set, in milliseconds. */
  readonly maxAge: number | undefined;
}

/** Rejects with an Error that says which document is missing or wrong. */
export type FetchDocuments = (signal: AbortSignal) => Promise<IssuerDocuments>;

interface SourceOptions {
  readonly issuer: string;
  /** undefined: the discovery document names it. */
  readonly jwksUri: string | undefined;
  readonly get: GetDocument;
}

export const createDocumentFetch =
  ({ issuer, jwksUri, get }: SourceOptions): FetchDocuments =>
  async (signal) => {
    const discovery = jwksUri === undefined ? await discover(issuer, get, signal) : undefined;
    const uri = jwksUri ?? String(discovery?.["jwks_uri"]);
    const { value, cacheControl } = await get(uri, signal);
    return { discovery, keySet: value, maxAge: maxAgeOf(cacheControl) };
  };

const discover = async (issuer: string, get: GetDocument, signal: AbortSignal): Promise<JsonObject> => {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const { value } = await get(url, signal);
  if (!isJsonObject(value)) throw new FetchFailure(`${url} is not an object`);
  const { issuer: named, jwks_uri: uri } = value;
  if (named !== issuer)
    throw new FetchFailure(`${url} names the issuer ${shown(named)} instead of ${issuer}`);
  if (typeof uri !== "string" || !isProtectedUrl(uri))
    throw new FetchFailure(`${url} has the jwks_uri ${shown(uri)}, which is not an https URL`);
  return value;
};

const shown = (value: unknown): string => (value === undefined ? "nothing" : cut(JSON.stringify(value), 200));

const maxAgeOf = (cacheControl: string): number | undefined => {
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(cacheControl) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
};

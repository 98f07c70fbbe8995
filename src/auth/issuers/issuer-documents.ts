/** Fetches an issuer's discovery document (OpenID Connect Discovery 1.0) and its key set. */
import { get as getPlain } from "node:http";
import { get as getEncrypted } from "node:https";
import { isProtectedUrl } from "../../lib/loopback.ts";
import { cut } from "../../lib/text.ts";
import { isJsonObject, type JsonObject } from "./jws.ts";

/** Bytes. A longer document is a failed fetch. */
const MAX_BYTES = 256 * 1024;

/** A document is missing or wrong. The message says why. */
export class FetchFailure extends Error {
  override readonly name = "FetchFailure";
}

interface FetchedDocument {
  readonly value: unknown;
  /** The header `Cache-Control`. */
  readonly cacheControl: string;
}

/** Rejects unless the answer is 200 with a JSON text of at most 256 KiB. Follows no redirect. */
export type GetDocument = (url: string, signal: AbortSignal) => Promise<FetchedDocument>;

/** `ca`: texts of PEM certificates, which are trusted instead of the system's. */
export const createDocumentClient =
  (ca: string | undefined): GetDocument =>
  (url, signal) =>
    new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        request.destroy(new FetchFailure(`${url} ${reason}`));
      };
      const headers = { accept: "application/json", "user-agent": "stationgate" };
      // `agent: false`: there are minutes between two requests, so no connection is kept.
      const options = { agent: false, headers, signal };
      const request = url.startsWith("https:")
        ? getEncrypted(url, { ...options, ca })
        : getPlain(url, options);
      request.on("error", reject).on("response", (response) => {
        if (response.statusCode !== 200) {
          fail(`answered ${response.statusCode}`);
          return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        response
          .on("data", (chunk: Buffer) => {
            size += chunk.length;
            chunks.push(chunk);
            if (size > MAX_BYTES) fail(`answered more than ${MAX_BYTES} bytes`);
          })
          .on("error", reject)
          .on("end", () => {
            try {
              const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
              resolve({ value, cacheControl: response.headers["cache-control"] ?? "" });
            } catch {
              reject(new FetchFailure(`${url} did not answer JSON`));
            }
          });
      });
    });

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

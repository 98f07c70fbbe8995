/** What a content type is to this gateway. One file beside this one for each; `content-types.ts` knows them all. */

export interface ContentLimits {
  /** Levels of arrays and objects that JSON may have; more is JSON_TOO_DEEP. */
  readonly maxDepth: number;
  /** Values of an event that is parsed, objects and arrays included; more is JSON_INVALID. Default: 500,000. */
  readonly maxValues?: number;
  /** Members of all objects of an event that is parsed; more is JSON_INVALID. Default: 100,000. */
  readonly maxMembers?: number;
}

export interface ContentType {
  readonly name: "text" | "json" | "protobuf";
  /** Is this media type (lower case, no parameters) one of its kind? */
  matches(mediaType: string): boolean;
  /** Throws what is wrong with a body that no schema is going to judge. */
  check(body: Buffer, limits: ContentLimits): void;
}

/** The media type of a Content-Type header: lower case, without parameters. */
export const mediaTypeOf = (header: string): string => {
  const end = header.indexOf(";");
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
};

/** Base64 (RFC 4648, section 4), strictly: `Buffer.from` alone takes anything and drops what it doesn't know. */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes; undefined: it is no base64. The padding may be left out, but not by half. */
export const fromBase64 = (text: string): Buffer | undefined => {
  const rest = text.length % 4;
  if (!BASE64.test(text) || rest === 1 || (rest !== 0 && text.endsWith("="))) return undefined;
  return Buffer.from(text, "base64");
};

/** A content type that the Memphis API takes; `content-types.ts` lists them. */

export interface ContentLimits {
  /** Maximum nesting of arrays and objects; above it JSON_TOO_DEEP. */
  readonly maxDepth: number;
  /** Maximum number of values of a parsed event, objects and arrays included; above it JSON_INVALID. Default: 500,000. */
  readonly maxValues?: number;
  /** Maximum number of members of all objects of a parsed event; above it JSON_INVALID. Default: 100,000. */
  readonly maxMembers?: number;
}

export interface ContentType {
  readonly name: "text" | "json" | "protobuf";
  /** Does the content type include this media type (lower case, no parameters)? */
  matches(mediaType: string): boolean;
  /** Checks a body of a station without a schema. Throws its fault. */
  check(body: Buffer, limits: ContentLimits): void;
}

/** The media type of a Content-Type header: lower case, without parameters. */
export const mediaTypeOf = (header: string): string => {
  const end = header.indexOf(";");
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
};

/** RFC 4648, section 4. `Buffer.from` alone takes any text and ignores characters that are not base64. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The decoded bytes; undefined if the text isn't base64. The padding may be absent, but not incomplete. */
export const fromBase64 = (text: string): Buffer | undefined => {
  const rest = text.length % 4;
  if (!BASE64.test(text) || rest === 1 || (rest !== 0 && text.endsWith("="))) return undefined;
  return Buffer.from(text, "base64");
};

/** What a content type is to this gateway. One file beside this one for each; `content-types.ts` knows them all. */

export interface ContentLimits {
  /** Levels of arrays and objects that JSON may have; more is JSON_TOO_DEEP. */
  readonly maxDepth: number;
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

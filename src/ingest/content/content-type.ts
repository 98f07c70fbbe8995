/** The content types that the Memphis API accepts, and the reading of media types and base64. */
import { GatewayError } from "../../errors.ts";
import { checkJson, type ContentLimits } from "../../formats/json.ts";

interface ContentType {
  readonly name: "text" | "json" | "protobuf";
  /** True if the content type includes this media type (lower case, no parameters). */
  matches(mediaType: string): boolean;
  /** Checks a body of a station without a schema. Throws the error of an invalid body. */
  check(body: Buffer, limits: ContentLimits): void;
}

export const JSON_MEDIA_TYPE = "application/json";

/** The content type of the records of protobuf stations. */
export const PROTOBUF_MEDIA_TYPE = "application/x-protobuf";

const json: ContentType = {
  name: "json",
  matches: (mediaType) => mediaType === JSON_MEDIA_TYPE,
  check: checkJson,
};

const isProtobufType = (mediaType: string): boolean =>
  mediaType === PROTOBUF_MEDIA_TYPE || mediaType === "application/protobuf";

/** Without a schema the bytes can't be checked. */
const protobuf: ContentType = {
  name: "protobuf",
  matches: isProtobufType,
  check: () => undefined,
};

/** Text in any charset. The bytes are the event. */
const text: ContentType = {
  name: "text",
  matches: (mediaType) => mediaType.includes("text"),
  check: () => undefined,
};

const CONTENT_TYPES: readonly ContentType[] = [json, protobuf, text];

/** The content type of a Content-Type header. Throws CONTENT_TYPE_UNSUPPORTED, also for an absent header. */
export const contentTypeOf = (header: string | undefined): ContentType => {
  const mediaType = mediaTypeOf(header ?? "");
  const found = CONTENT_TYPES.find((type) => type.matches(mediaType));
  if (found === undefined) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  return found;
};

/** The media type of a Content-Type header: lower case, without parameters. */
export const mediaTypeOf = (header: string): string => {
  const end = header.indexOf(";");
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
};

/** True if this is the content type of a binary Protobuf message. */
export const isProtobuf = (header: string): boolean => isProtobufType(mediaTypeOf(header));

/** RFC 4648, section 4. `Buffer.from` alone takes any text and ignores characters that are not base64. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The decoded bytes; undefined if the text isn't base64. The padding may be absent, but not incomplete. */
export const fromBase64 = (text: string): Buffer | undefined => {
  const rest = text.length % 4;
  if (!BASE64.test(text) || rest === 1 || (rest !== 0 && text.endsWith("="))) return undefined;
  return Buffer.from(text, "base64");
};

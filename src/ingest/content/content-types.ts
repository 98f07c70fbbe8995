/** The content types that the Memphis API takes. */
import { GatewayError } from "../../errors.ts";
import { type ContentType, mediaTypeOf } from "./content-type.ts";
import { json } from "./json.ts";

/** Text in any charset: the bytes are the event. */

const text: ContentType = {
  name: "text",
  matches: (mediaType) => mediaType.includes("text"),
  check: () => undefined,
};

/** The content type of the events that protobuf stations store. */
export const PROTOBUF_MEDIA_TYPE = "application/x-protobuf";

/** Protocol Buffers: without a schema the bytes can't be checked. */
const protobuf: ContentType = {
  name: "protobuf",
  matches: (mediaType) => mediaType === PROTOBUF_MEDIA_TYPE || mediaType === "application/protobuf",
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

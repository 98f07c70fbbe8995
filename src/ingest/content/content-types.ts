/** The content types that the Memphis API takes. */
import { GatewayError } from "../../errors.ts";
import { type ContentType, mediaTypeOf } from "./content-type.ts";
import { json } from "./json.ts";
import { protobuf } from "./protobuf.ts";
import { text } from "./text.ts";

const CONTENT_TYPES: readonly ContentType[] = [json, protobuf, text];

/** The kind of body that a Content-Type header announces. Throws CONTENT_TYPE_UNSUPPORTED, also where there is none. */
export const contentTypeOf = (header: string | undefined): ContentType => {
  const mediaType = mediaTypeOf(header ?? "");
  const found = CONTENT_TYPES.find((type) => type.matches(mediaType));
  if (found === undefined) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  return found;
};

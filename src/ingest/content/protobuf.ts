/** Protocol Buffers: without a schema nothing can be said of the bytes. */
import type { ContentType } from "./content-type.ts";

/** The content type of the events that protobuf stations store. */
export const PROTOBUF_MEDIA_TYPE = "application/x-protobuf";

export const protobuf: ContentType = {
  name: "protobuf",
  matches: (mediaType) => mediaType === PROTOBUF_MEDIA_TYPE || mediaType === "application/protobuf",
  check: () => undefined,
};

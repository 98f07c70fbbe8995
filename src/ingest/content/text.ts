/** Text of any kind and in any charset: the bytes are the event. */
import type { ContentType } from "./content-type.ts";

export const text: ContentType = {
  name: "text",
  matches: (mediaType) => mediaType.includes("text"),
  check: () => undefined,
};

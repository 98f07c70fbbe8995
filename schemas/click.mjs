import { z } from "zod";

/** A click on a page, as `@stationgate/browser` or a plain fetch sends it. */
export const Click = z.object({
  page: z.url(),
  target: z.string().min(1).max(200),
  at: z.iso.datetime().optional(),
  position: z.object({ x: z.number(), y: z.number() }).optional(),
});

import { z } from "zod";

export const Trimming = z.object({ a: z.string().trim().transform(Number) });
export const Nested = z.object({
  a: z.object({ b: z.string() }),
  c: z.array(z.object({ d: z.number() }), { error: "wrong c" }),
});
export const Throwing = z.unknown().refine(() => {
  throw new TypeError("oops");
});
export const SecretlyAsync = z.unknown().refine(() => Promise.resolve(true));
export const AsyncRefinement = z.object({ a: z.string() }).refine(async () => true);
export const AsyncInside = z.object({
  a: z.array(z.union([z.string().refine(async () => true), z.number()])),
});
export const AsyncTransform = z.record(
  z.string(),
  z.string().transform(async (text) => text),
);
export const Tree = z.object({
  get children() {
    return z.array(Tree).optional();
  },
});
export const notSchema = { safeParse: 1 };

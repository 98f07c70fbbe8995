/** What a gateway's answer says in words: each API family has its own shape for it. */
import { z } from "zod";

const shapes = z.union([
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z
    .object({ message: z.array(z.object({ field: z.string(), reason: z.string() })).min(1) })
    .transform(({ message }) => message.map(({ field, reason }) => `${field}: ${reason}`).join("; ")),
  z.object({ errors: z.array(z.string()).min(1) }).transform(({ errors }) => errors.join("; ")),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
  z.object({ title: z.string() }).transform(({ title }) => title),
]);

/** Longer texts that aren't a gateway's, such as a proxy's page, are cut. */
const LONGEST = 200;

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export const messageOf = ({ status, text }: { readonly status: number; readonly text: string }): string => {
  const { success, data } = shapes.safeParse(jsonOf(text));
  if (success) return data;
  const plain = text.replace(/\s+/g, " ").trim().slice(0, LONGEST);
  return plain === "" ? `the gateway answered ${status}` : plain;
};

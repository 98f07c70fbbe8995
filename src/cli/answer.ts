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

/** The text as JSON; undefined where it is none. */
export const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Did a gateway write it? A proxy's page, an empty answer and one that was cut off are in none of its shapes. */
export const isOwn = ({ text }: { readonly text: string }): boolean => shapes.safeParse(jsonOf(text)).success;

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** On one line, and without what a terminal would obey. */
export const messageOf = ({ status, text }: { readonly status: number; readonly text: string }): string => {
  const { success, data } = shapes.safeParse(jsonOf(text));
  if (success) return data.replace(CONTROLS, " ");
  const plain = text
    .slice(0, 10 * LONGEST)
    .replace(CONTROLS, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, LONGEST);
  return plain === "" ? `the gateway answered ${status}` : plain;
};

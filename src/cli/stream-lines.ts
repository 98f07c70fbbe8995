/** The lines of an event stream in NDJSON, with the exact bytes of each event. */
import { z } from "zod";
import { errnoOf } from "../lib/file-system.ts";

export interface StreamedEvent {
  readonly partition: number;
  readonly offset: string;
  /** null: a tombstone. */
  readonly value: Buffer | null;
  /** A repeated header is in the list several times. */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

export interface StreamLine {
  /** The position after this line. */
  readonly id?: string | undefined;
  readonly event?: StreamedEvent | undefined;
  readonly gap?: { readonly partition: number; readonly from: string; readonly to: string } | undefined;
  /** Why the gateway ends the stream. */
  readonly end?: { readonly reason: string } | undefined;
}

/** Milliseconds without input after which the connection counts as dead: three heartbeats of the gateway. */
const SILENCE = 45_000;

const headerShape = z.union([z.string().nullable(), z.array(z.string().nullable())]);

const eventShape = z.object({
  partition: z.number(),
  offset: z.string(),
  value: z.string().nullable(),
  headers: z.record(z.string(), headerShape),
  base64: z.array(z.string()).default([]),
});

const lineShape = z.object({
  id: z.string().optional(),
  gap: z.object({ partition: z.number(), from: z.string(), to: z.string() }).optional(),
  end: z.object({ reason: z.string() }).optional(),
  offset: z.string().optional(),
});

const bytesOf = (text: string | null, isBase64: boolean): Buffer | null =>
  text === null ? null : Buffer.from(text, isBase64 ? "base64" : "utf8");

const eventOf = (line: unknown): StreamedEvent => {
  const { partition, offset, value, headers, base64 } = eventShape.parse(line);
  return {
    partition,
    offset,
    value: bytesOf(value, base64.includes("value")),
    headers: Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().map((each) => [name, bytesOf(each, base64.includes(`headers.${name}`))] as const),
    ),
  };
};

const parsed = (text: string): StreamLine => {
  const json = JSON.parse(text || "{}") as unknown;
  const { offset, ...line } = lineShape.parse(json);
  return offset === undefined ? line : { ...line, event: eventOf(json) };
};

/**
 * Yields the lines; a heartbeat is an empty one. Returns why there are no more, and never throws. The time in which the caller
 * handles a line does not count as silence. An incomplete last line is dropped.
 */
export const readLines = async function* (
  body: AsyncIterable<Uint8Array>,
  onSilence: () => void,
): AsyncGenerator<StreamLine, string> {
  const decoder = new TextDecoder();
  let pending = "";
  let timer = setTimeout(onSilence, SILENCE);
  try {
    for await (const chunk of body) {
      clearTimeout(timer);
      const lines = (pending + decoder.decode(chunk, { stream: true })).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) yield parsed(line);
      timer = setTimeout(onSilence, SILENCE);
    }
    return "the gateway closed the stream";
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError)
      return "a line of the stream is not from a Stationgate gateway";
    return `the stream broke (${errnoOf((error as Error).cause) ?? (error as Error).message})`;
  } finally {
    clearTimeout(timer);
  }
};

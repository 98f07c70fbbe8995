/** The counts of a delivery, and the same in words. */
import { grouped } from "../values.ts";
import type { Line } from "./lines.ts";

export interface Tally {
  stored: number;
  refused: number;
  /** Sent, and neither confirmed nor refused. */
  unknown: number;
  /** Bytes of the input that have their outcomes. */
  bytes: number;
  /** The last line that has an outcome or was left without; later ones were not sent. */
  lastLine: number;
}

export const emptyTally = (): Tally => ({ stored: 0, refused: 0, unknown: 0, bytes: 0, lastLine: 0 });

export const rateOf = ({ stored }: Tally, elapsedMs: number): number =>
  elapsedMs > 0 ? (stored * 1000) / elapsedMs : 0;

/** `4, 6–9`: how people write lines that follow each other. */
export const ranges = (lines: readonly Pick<Line, "number">[]): string => {
  const spans: [number, number][] = [];
  for (const { number } of lines) {
    const span = spans.at(-1);
    if (span?.[1] === number - 1) span[1] = number;
    else spans.push([number, number]);
  }
  return spans.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
};

/** Never says more than what was acknowledged. */
export const summary = (tally: Tally, elapsedMs: number): string => {
  const { stored, refused, unknown } = tally;
  const counts = [
    `${grouped(stored)} stored`,
    `${grouped(refused)} refused`,
    ...(unknown > 0 ? [`${grouped(unknown)} not confirmed`] : []),
  ];
  const seconds = (elapsedMs / 1000).toFixed(1);
  return `${counts.join(", ")} in ${seconds} s (${grouped(rateOf(tally, elapsedMs))} events/s)`;
};

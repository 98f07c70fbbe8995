/** The steps of an evaluation. Each node, and each element and character that is looked at, is a step. */
import type { Event } from "../event.ts";

export const MAX_STEPS = 100_000;

/** The evaluation has failed. The instances are made when a filter is compiled, because a stack trace costs more than an evaluation. */
export class FilterFailure extends Error {}

export const TOO_MANY_STEPS = new FilterFailure(`the evaluation takes more than ${MAX_STEPS} steps`);

/** The state of one evaluation. */
export interface Frame {
  readonly event: Event;
  /** The values of the variables of macros. */
  readonly slots: unknown[];
  stepsLeft: number;
}

/** Throws TOO_MANY_STEPS. */
export const spend = (frame: Frame, steps: number): void => {
  frame.stepsLeft -= steps;
  if (frame.stepsLeft < 0) throw TOO_MANY_STEPS;
};

/** A part of a filter, compiled. */
export type Run = (frame: Frame) => unknown;

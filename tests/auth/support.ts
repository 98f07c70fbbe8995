/** Helpers for the tests of this folder: a clock that tests advance, cheap hashes, errors as values. */
import { scryptSync } from "node:crypto";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";

export const START = Date.UTC(2026, 0, 1);

export const createClock = (time = START) => {
  let current = time;
  return {
    now: () => current,
    advance: (milliseconds: number) => {
      current += milliseconds;
    },
  };
};

/** A scrypt hash with the lowest cost. */
export const cheapHash = (plain: string, ln = 4): string => {
  const salt = Buffer.from("0123456789abcdef");
  const hash = scryptSync(plain, salt, 32, { N: 2 ** ln, r: 1, p: 1 });
  const b64 = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
  return `$scrypt$ln=${ln},r=1,p=1$${b64(salt)}$${b64(hash)}`;
};

/** The value; throws if it is undefined. */
export const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error("the value is undefined");
  return value;
};

/** The GatewayError that the task throws or rejects with. */
export const failureOf = async (task: () => unknown): Promise<GatewayError> => {
  try {
    await task();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("the task did not fail");
};

export const codeOf = async (task: () => unknown): Promise<ErrorCode> => (await failureOf(task)).code;

/**
 * In CI a test of real processes, browsers and Kafkas that fails is run once more, and its first failure is printed: two
 * cores are shared by all of them. What runs in jest's own process gets no second try, and nothing does elsewhere.
 */
import { expect, jest } from "@jest/globals";

const REAL_PROCESSES = /\/tests\/(e2e|docs|broker\/kafka)\//;

const { testPath = "" } = expect.getState();

if (process.env["CI"] === "true" && REAL_PROCESSES.test(testPath))
  jest.retryTimes(1, { logErrorsBeforeRetry: true });

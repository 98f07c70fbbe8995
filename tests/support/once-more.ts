/**
 * In CI a failed test with real processes, browsers or Kafka is repeated once, and its first failure is printed, because
 * all of them share two cores. Tests inside jest's process are not repeated, and outside CI no test is.
 */
import { expect, jest } from "@jest/globals";

const REAL_PROCESSES = /\/tests\/(e2e|docs|broker\/kafka)\//;

const { testPath = "" } = expect.getState();

if (process.env["CI"] === "true" && REAL_PROCESSES.test(testPath))
  jest.retryTimes(1, { logErrorsBeforeRetry: true });

/**
 * In CI a test that fails is run once more, and the first failure is printed: a Kafka that is slow to let a member
 * rejoin its group (its session is 10 s) must not hide what the other tests say. Elsewhere a failure is a failure.
 */
import { jest } from "@jest/globals";

if (process.env["CI"] === "true") jest.retryTimes(1, { logErrorsBeforeRetry: true });

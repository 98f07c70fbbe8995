/** What an answer means to the Auckland sink: its `retry` flag counts before its status. */
import type { HttpResult } from "../../engine/delivery-plan.ts";
import type { Failure } from "../../engine/strategy.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** true: retry. false: done. undefined: the body has no usable flag. */
export const retryFlag = (body: Buffer): boolean | undefined => {
  if (body.length === 0) return undefined;
  const answer = parse(body);
  if (!isObject(answer)) return undefined;
  const { retry } = answer;
  if (typeof retry === "boolean") return retry;
  if (retry === 0) return false;
  if (typeof retry !== "string") return undefined;
  const flag = retry.toLowerCase();
  if (flag === "true") return true;
  return flag === "false" ? false : undefined;
};

/** Statuses that mean that the endpoint is down. */
const DOWN_STATUSES = new Set([401, 403, 405, 406, 502, 503, 504]);

export const aucklandAnswers =
  (successWithoutFlag: boolean) =>
  (result: HttpResult): "done" | Failure => {
    if ("kind" in result) return result.kind === "unreachable" ? "down" : "retry";
    const flag = retryFlag(result.body);
    if (flag !== undefined) return flag ? "retry" : "done";
    if (DOWN_STATUSES.has(result.status)) return "down";
    return successWithoutFlag && result.status >= 200 && result.status < 300 ? "done" : "retry";
  };

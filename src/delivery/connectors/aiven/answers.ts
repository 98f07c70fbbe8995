/** What an answer means to Aiven's sink: a status below 400 is a success, also a redirect. Everything else is retried. */
import type { HttpResult } from "../../engine/delivery-plan.ts";
import type { Failure } from "../../engine/strategy.ts";

export const aivenAnswers = (result: HttpResult): "done" | Failure =>
  "status" in result && result.status < 400 ? "done" : "retry";

import { createFaultLog } from "../../src/app/fault-log.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock } from "../support/fake-clock.ts";

it("logs a fault once in 10 s for each error code", () => {
  const clock = createFakeClock();
  const codes: string[] = [];
  const line = (fields: unknown): void => {
    codes.push((fields as { err: GatewayError }).err.code);
  };
  const logger = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line };
  const log = createFaultLog(logger, clock, "a fault");
  const unavailable = new GatewayError("BROKER_UNAVAILABLE");
  for (let n = 0; n < 3; n += 1) log(unavailable);
  log(new GatewayError("GROUP_REFUSED"));
  clock.advance(9999);
  log(unavailable);
  clock.advance(1);
  log(unavailable);
  expect(codes).toEqual(["BROKER_UNAVAILABLE", "GROUP_REFUSED", "BROKER_UNAVAILABLE"]);
});

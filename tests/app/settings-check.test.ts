import { faultsInUse } from "../../src/app/settings-check.ts";
import { settingsOf } from "../config/support.ts";

it.each([
  ["{ audit: { station: ops }, stations: [{ name: ops, topic: TRANSACTION.dead-letter }] }", 1],
  ["{ audit: { station: ops }, autoCreateStations: true }", 0],
  ["{}", 0],
])("refuses the dead-letter topic of the event service as the audit's topic: %s", async (yaml, count) => {
  expect(await faultsInUse(settingsOf({ yaml }))).toEqual(
    Array(count).fill(
      'audit.station: its topic "TRANSACTION.dead-letter" has the dead letters of the event service',
    ),
  );
});

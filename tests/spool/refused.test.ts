/** Records that Kafka refuses for good: one line of JSON for each, whole also on a full disk. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { spoolFiles } from "../../src/spool/files.ts";
import { keepRefused, type RefusedEvent } from "../../src/spool/refused.ts";
import { faultyFiles, newDirectory, record } from "./support.ts";

const refused = (value: string): RefusedEvent => ({
  event: {
    entry: {
      ...{ seq: 1, stamp: 1, time: 1_700_000_000_000 },
      record: { ...record(value, "k"), headers: [{ name: "x-event-id", value: Buffer.from("1") }] },
    },
    ...{ isOpen: false, isDone: false, bytes: 100 },
  },
  error: new GatewayError("RECORD_TOO_LARGE"),
});

const linesOf = (folder: string): readonly unknown[] =>
  readFileSync(path.join(folder, "refused", "orders.ndjson"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);

it("keeps the record and the reason, and the records of earlier batches", async () => {
  const folder = newDirectory();
  await keepRefused(spoolFiles, folder, "orders", [refused("a")]);
  await keepRefused(spoolFiles, folder, "orders", [refused("b"), refused("c")]);
  const lines = linesOf(folder);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toEqual({
    topic: "orders",
    partition: null,
    timestamp: 1_700_000_000_000,
    spooled: "2023-11-14T22:13:20.000Z",
    code: "RECORD_TOO_LARGE",
    error: "Request Entity Too Large",
    key: "aw==",
    value: "YQ==",
    headers: [{ name: "x-event-id", value: "MQ==" }],
  });
});

it("leaves no part of a line on a full disk", async () => {
  const folder = newDirectory();
  const faults = { left: 400, flushFails: false };
  await keepRefused(faultyFiles(faults), folder, "orders", [refused("a")]);
  await expect(keepRefused(faultyFiles(faults), folder, "orders", [refused("b")])).rejects.toThrow(
    "no space",
  );
  expect(linesOf(folder)).toHaveLength(1);
});

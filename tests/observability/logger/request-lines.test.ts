import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RequestFields } from "../../../src/observability/logger/request-lines.ts";
import { createLog, type LogLevel } from "../../../src/observability/logger/logger.ts";

/** The lines that the logger and the request log write for the same fields, without their times. */
const bothOf = async (
  all: readonly RequestFields[],
  { level = "info", worker }: { level?: LogLevel; worker?: number } = {},
): Promise<{ logger: string[]; requestLog: string[] }> => {
  const directory = await mkdtemp(path.join(tmpdir(), "stationgate-log-"));
  try {
    const written = async (name: "logger" | "requestLog"): Promise<string[]> => {
      const destination = path.join(directory, name);
      const log = createLog({ level, destination, ...(worker === undefined ? {} : { worker }) });
      for (const fields of all)
        for (const at of ["debug", "info", "warn", "error"] as const)
          if (name === "requestLog") log.requestLog(at, fields);
          else log.logger[at](fields, "request");
      await log.close();
      const text = await readFile(destination, "utf8");
      return text.replaceAll(/"time":\d+/g, '"time":0').split("\n");
    };
    return { logger: await written("logger"), requestLog: await written("requestLog") };
  } finally {
    await rm(directory, { recursive: true });
  }
};

const LINE: RequestFields = {
  requestId: "3f2c9a52-7a6e-4a55-9d37-0d2f4c2f6b10",
  method: "POST",
  route: "/stations/:name/produce/single",
  status: 200,
  ms: 1.37,
  principal: undefined,
  station: "orders",
  stored: 1,
  bytes: 256,
  code: undefined,
};

/** Characters that JSON must escape, and their neighbours. */
const HOSTILE = [
  ...Array.from({ length: 160 }, (_, code) => `a${String.fromCharCode(code)}b`),
  ...["", '"', "\\", '\\"', '","level":"fatal', "\r\n", "\u2028\u2029", "ü€😀", "\uFEFF", "\uFFFF"],
  ...["x".repeat(300), `${"x".repeat(300)}"\n\u2028`],
];

it.each([undefined, 3])("writes the same lines as the logger, worker %s", async (worker) => {
  const fields = [
    LINE,
    {},
    { ms: 0, status: Number.NaN },
    ...HOSTILE.map((principal) => ({ ...LINE, principal })),
  ];
  const { logger, requestLog } = await bothOf(fields, worker === undefined ? {} : { worker });
  expect(requestLog).toEqual(logger);
  expect(requestLog).toHaveLength(fields.length * 3 + 1);
});

it.each(["debug", "warn", "fatal", "silent"] as const)("respects the level %s", async (level) => {
  const { logger, requestLog } = await bothOf([LINE], { level });
  expect(requestLog).toEqual(logger);
});

it("escapes single surrogates like JSON", async () => {
  const { requestLog } = await bothOf([{ principal: "a\uD800b" }, { principal: "\uDC00" }]);
  const principals = requestLog
    .filter((text) => text !== "")
    .map((text) => (JSON.parse(text) as { principal: string }).principal);
  expect(new Set(principals)).toEqual(new Set(["a\uD800b", "\uDC00"]));
});

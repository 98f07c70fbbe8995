import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { GatewayError } from "../../../src/errors.ts";
import { createLog, type Log, type LogLevel } from "../../../src/observability/logger/logger.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "stationgate-log-"));
});
afterEach(() => rm(directory, { recursive: true }));

const linesOf = async (
  write: (logger: Log["logger"]) => void,
  level: LogLevel = "info",
): Promise<Record<string, unknown>[]> => {
  const destination = path.join(directory, "log");
  const log = createLog({ level, destination });
  write(log.logger);
  await log.close();
  const text = await readFile(destination, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

it("writes each line as JSON, and all lines before close resolves", async () => {
  const lines = await linesOf((logger) => {
    for (let n = 0; n < 500; n++) logger.info({ n }, "counted");
  });
  expect(lines).toHaveLength(500);
  expect(lines[499]).toEqual({ level: "info", time: expect.any(Number) as number, n: 499, msg: "counted" });
});

it("respects its level", async () => {
  const lines = await linesOf((logger) => {
    logger.info("no");
    logger.warn("yes");
  }, "warn");
  expect(lines.map(({ msg }) => msg)).toEqual(["yes"]);
});

it("writes the causes of an error", async () => {
  const [line] = await linesOf((logger) => {
    const cause = new TypeError("the broker hung up");
    logger.error({ err: new GatewayError("INTERNAL", { cause }) }, "failed");
  });
  expect(line?.["err"]).toMatchObject({ code: "INTERNAL", cause: { message: "the broker hung up" } });
});

it("masks fields that can hold a credential", async () => {
  const [line] = await linesOf((logger) => {
    logger.info({ token: "s3cret", authorization: "Bearer s3cret", password: "s3cret" });
  });
  expect(JSON.stringify(line)).not.toContain("s3cret");
});

it("writes an audit line at every level", async () => {
  const destination = path.join(directory, "log");
  const log = createLog({ level: "silent", destination, worker: 2 });
  log.logger.fatal("no");
  log.always({ level: "info", time: 5, action: "session.end", msg: "audit" });
  await log.close();
  expect(await readFile(destination, "utf8")).toBe(
    '{"level":"info","time":5,"worker":2,"action":"session.end","msg":"audit"}\n',
  );
});

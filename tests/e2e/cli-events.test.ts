/** `stationgate produce` and `stationgate tail`: the built program with a real gateway. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  CLI,
  environmentFor,
  lines,
  runCli,
  startCli,
  startCliGateway,
  type CliGateway,
} from "../support/cli.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";

const run = promisify(execFile);
const jsonLines = (text: string): readonly unknown[] =>
  lines(text).map((line) => JSON.parse(line) as unknown);

/** Number of events of the station that the gateway has stored since its start. */
const storedBy = async (gateway: Gateway, station: string): Promise<number> => {
  const scrape = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const line = new RegExp(
    `^stationgate_events_total\\{station="${station}",outcome="stored"\\} (\\d+)$`,
    "m",
  );
  return Number(line.exec(scrape)?.[1] ?? 0);
};

/** Number of events in the station. */
const countIn = async (gateway: Gateway, station: string): Promise<number> => {
  const authorization = `Bearer ${await signIn(gateway)}`;
  const group = uniqueName("count");
  for (let count = 0; ;) {
    const answer = await fetch(`${gateway.url}/stations/${station}/consume/batch`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({
        consumer_name: "counter",
        consumer_group: group,
        batch_size: 5000,
        batch_max_wait_time_ms: 300,
      }),
    });
    const messages = (await answer.json()) as unknown[];
    if (messages.length === 0) return count;
    count += messages.length;
  }
};

describe("stationgate", () => {
  let cli: CliGateway;
  let station: string;

  beforeAll(async () => {
    cli = await startCliGateway();
  }, 60_000);

  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  beforeEach(() => {
    station = uniqueName("cli");
  });

  describe("produce", () => {
    it("stores one event and prints its partition and offset", async () => {
      const { code, stdout } = await runCli(["produce", station, '{"n":12345678901234567890}'], cli.env);
      expect(stdout).toMatch(/^stored: partition \d+, offset 0\n$/);
      expect(code).toBe(0);

      const asJson = await runCli(["produce", station, "plain text", "--json"], cli.env);
      expect(JSON.parse(asJson.stdout)).toMatchObject({
        status: "stored",
        offset: expect.stringMatching(/^\d+$/) as string,
      });

      const read = await runCli(["tail", station, "--from", "earliest", "--limit", "2", "--json"], cli.env);
      expect(jsonLines(read.stdout)).toEqual(
        expect.arrayContaining([
          { message: '{"n":12345678901234567890}', headers: { "content-type": "application/json" } },
          { message: "plain text", headers: { "content-type": "text/plain; charset=utf-8" } },
        ]),
      );
      expect(read.code).toBe(0);
    });

    it("prints the gateway's reason for refusing an event", async () => {
      const { code, stdout, stderr } = await runCli(
        ["produce", station, "{", "--content-type", "application/json"],
        cli.env,
      );
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: "Invalid JSON (400)\n" });
    });

    it("reports each refused line of 10,000 by its number, and stores the other lines", async () => {
      const tooDeep = `{"deep":${"[".repeat(200)}${"]".repeat(200)}}`;
      const bad = new Map([
        [7, '{"broken'],
        [1000, "[1]"],
        [1001, "17"],
        [5555, tooDeep],
        [10_000, '{"cut":'],
      ]);
      const blank = new Set([3, 9000]);
      const content = Array.from({ length: 10_000 }, (_, index) => {
        const line = index + 1;
        return bad.get(line) ?? (blank.has(line) ? "" : JSON.stringify({ line }));
      }).join("\n");
      const events = await cli.file("events.ndjson", content);

      const { code, stdout, stderr } = await runCli(
        ["produce", station, "--file", events, "--json"],
        cli.env,
      );
      const reports = jsonLines(stdout);
      expect(reports.slice(0, -1)).toEqual(
        [...bad.keys()].map((line) => ({ line, status: "refused", error: expect.any(String) as string })),
      );
      expect(reports.at(-1)).toMatchObject({
        status: "done",
        stored: 9993,
        refused: 5,
        unknown: 0,
        bytes: content.length,
        lastLine: 10_000,
      });
      expect(stderr).toBe("");
      expect(code).toBe(1);
      expect(await countIn(cli.gateway, station)).toBe(9993);
    });

    it("reads lines from a pipe, and prints readable text", async () => {
      const { code, stdout, stderr } = await runCli(
        ["produce", station, "-"],
        cli.env,
        '{"a":1}\n[]\n{"a":2}\n',
      );
      expect(stdout).toMatch(/^2 stored, 1 refused in \d+\.\d s \([\d,]+ events\/s\)\n$/);
      expect(stderr).toBe("line 2: not a JSON object\n");
      expect(code).toBe(1);
    });

    it("exits with 3 if the gateway is killed, and reports no event as stored that isn't", async () => {
      await using killed = await startGateway();
      const many = Array.from({ length: 100_000 }, (_, n) => JSON.stringify({ n })).join("\n");
      const events = await cli.file("many.ndjson", many);
      const args = [
        "produce",
        station,
        "--file",
        events,
        "--json",
        "--batch-events",
        "50",
        "--retry-for",
        "1s",
      ];
      const { ended } = startCli(args, environmentFor(killed));
      while ((await storedBy(killed, station)) < 500);
      await killed.stop("SIGKILL");

      const { code, stdout, stderr } = await ended;
      expect(code).toBe(3);
      expect(stderr).toContain("Given up: nothing after line ");
      const reports = jsonLines(stdout);
      const counts = reports.at(-1) as { stored: number; unknown: number; lastLine: number };
      expect(counts.stored).toBeGreaterThanOrEqual(450);
      expect(counts.unknown).toBe(50);
      expect(counts.lastLine).toBe(counts.stored + counts.unknown);
      expect(reports.slice(0, -1)).toEqual(
        Array.from({ length: 50 }, (_, index) => ({
          line: counts.stored + index + 1,
          status: "unknown",
          error: expect.stringContaining("can't be reached") as string,
        })),
      );

      await using again = await killed.restart();
      const kept = await countIn(again, station);
      expect(kept).toBeGreaterThanOrEqual(counts.stored);
      expect(kept).toBeLessThanOrEqual(counts.lastLine);
    });

    it("sends the lines of an open pipe, and reports the last stored line when it is interrupted", async () => {
      const { child, ended } = startCli(["produce", station, "-"], cli.env);
      child.stdin.write('{"n":1}\n{"n":2}\n{"n":3');
      while ((await storedBy(cli.gateway, station)) < 2);
      child.kill("SIGINT");
      const { code, stdout, stderr } = await ended;
      expect(stdout).toContain("2 stored, 0 refused");
      expect(stderr).toBe("Interrupted: nothing after line 2 is stored.\n");
      expect(code).toBe(130);
    });
  });

  describe("tail", () => {
    it("prints JSON over several lines with unchanged numbers", async () => {
      await runCli(["produce", station, '{"n":12345678901234567890,"a":[]}'], cli.env);
      const { stdout } = await runCli(["tail", station, "--from", "earliest", "--limit", "1"], cli.env);
      expect(stdout).toBe('{\n  "n": 12345678901234567890,\n  "a": []\n}\n');
    });

    it("continues at the position of its group", async () => {
      await runCli(["produce", station, "-"], cli.env, '{"n":1}\n');
      const args = ["tail", station, "--group", uniqueName("group"), "--limit", "1", "--json"];
      const first = await runCli(args, cli.env);
      await runCli(["produce", station, "-"], cli.env, '{"n":2}\n');
      const second = await runCli(args, cli.env);
      expect(jsonLines(first.stdout)).toMatchObject([{ message: '{"n":1}' }]);
      expect(jsonLines(second.stdout)).toMatchObject([{ message: '{"n":2}' }]);
    });

    it("ends without a message when its reader closes the pipe", async () => {
      await runCli(["produce", station, "-"], cli.env, '{"n":1}\n'.repeat(2000));
      const { stdout, stderr } = await run(
        "bash",
        [
          "-c",
          `"${process.execPath}" "${CLI}" tail ${station} --from earliest --json | head -1; echo "\${PIPESTATUS[0]}"`,
        ],
        { env: { ...process.env, ...cli.env } },
      );
      expect(lines(stdout).at(-1)).toBe("141");
      expect(stderr).not.toContain("EPIPE");
    });

    it("exits with 1 if the station doesn't exist", async () => {
      const { code, stderr } = await runCli(["tail", "no-such-station"], cli.env);
      expect(stderr).toBe("Station no-such-station does not exist (404)\n");
      expect(code).toBe(1);
    });
  });
});

describeOnEachBroker("stationgate tail", (broker) => {
  it("prints all new events until SIGINT", async () => {
    const station = uniqueName("tailed");
    await using gateway = await startGateway({ settings: { broker: broker.settings() } });
    const env = environmentFor(gateway);
    await runCli(["produce", station, "old"], env);
    const { child, ended, said, printed } = startCli(["tail", station, "--json"], env);
    await said("Following");
    await runCli(["produce", station, "-"], env, '{"n":1}\n{"n":2}\n');
    await printed(2);
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    const messages = jsonLines(stdout).map((event) => (event as { message: string }).message);
    expect(messages.toSorted()).toEqual(['{"n":1}', '{"n":2}']);
    expect(code).toBe(0);
  });
});

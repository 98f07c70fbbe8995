import type { Answer, Call } from "../../../../src/cli/client.ts";
import { CommandFailure } from "../../../../src/cli/shell.ts";
import { deliver, type DeliveryOptions } from "../../../../src/cli/commands/produce/deliver.ts";
import { readLines, type Line } from "../../../../src/cli/commands/produce/lines.ts";
import { answer, eventsOf, fakeClient } from "../../support.ts";

const SOON = { "retry-after": "0.01" };
const LOST = new CommandFailure("unreachable", "http://gateway.test can't be reached (ECONNRESET)");

const stored = { status: "stored", partition: 0, offset: "0", timestamp: 0 };
const allStored = (call: Call): Answer =>
  answer(200, { error: null, success: true, results: eventsOf(call).map(() => stored) });

/** Runs a delivery of `count` events `{"n": <line>}`. Returns the reports in order. */
const delivery = async (
  count: number,
  script: (call: Call, index: number) => Answer | Error,
  options: Partial<DeliveryOptions> = {},
) => {
  const reports: (readonly [string, ...(number | string)[]])[] = [];
  const notes: string[] = [];
  const client = fakeClient(script);
  async function* input(): AsyncGenerator<Buffer> {
    const lines = Array.from({ length: count }, (_, index) => JSON.stringify({ n: index + 1 }));
    yield await Promise.resolve(Buffer.from(`${lines.join("\n")}\n`));
  }
  const end = await deliver(readLines(input(), 1000), {
    client,
    station: "Clicks/1",
    bounds: { events: 4, bytes: 1000 },
    retryForMs: 60_000,
    interruption: new AbortController().signal,
    report: {
      stored: (lines) => reports.push(["stored", ...lines.map(({ number }) => number)]),
      refused: (line, error) => Promise.resolve(void reports.push(["refused", line.number, error])),
      unknown: (lines, error) =>
        Promise.resolve(void reports.push(["unknown", ...lines.map(({ number }) => number), error])),
      progress: () => undefined,
      waiting: (error, ms) => notes.push(`${error} ${ms}`),
    },
    ...options,
  });
  return {
    end,
    reports,
    notes,
    sent: client.calls.map(eventsOf),
    paths: client.calls.map(({ path }) => path),
  };
};

const numbers = (events: readonly unknown[]): readonly number[] =>
  events.map((event) => (event as { n: number }).n);

it("sends all lines in order, in batches, to the path of the station", async () => {
  const { end, reports, sent, paths } = await delivery(6, allStored);
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([
    [1, 2, 3, 4],
    [5, 6],
  ]);
  expect(reports).toEqual([
    ["stored", 1, 2, 3, 4],
    ["stored", 5, 6],
  ]);
  expect(paths[0]).toBe("/stations/Clicks%2F1/produce/batch");
});

it("finds refused lines by the positions of their results", async () => {
  const { reports } = await delivery(3, () =>
    answer(400, {
      errors: ["no good"],
      results: [stored, { status: "refused", error: "no good" }, stored],
    }),
  );
  expect(reports).toEqual([
    ["refused", 2, "no good"],
    ["stored", 1, 3],
  ]);
});

it("repeats only the lines without an outcome, after Retry-After", async () => {
  const { end, reports, sent, notes } = await delivery(3, (call, index) =>
    index === 0
      ? answer(503, { results: [stored, { status: "unknown", error: "Server error" }, stored] }, SOON)
      : allStored(call),
  );
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([[1, 2, 3], [2]]);
  expect(reports).toEqual([
    ["stored", 1, 3],
    ["stored", 2],
  ]);
  expect(notes).toEqual(["Server error 10"]);
});

it("counts a duplicate and a spooled event as stored, and repeats an unavailable one", async () => {
  const place = { partition: 0, offset: "7" };
  const { end, reports, sent } = await delivery(3, (call, index) =>
    index === 0
      ? answer(
          503,
          {
            results: [
              { status: "duplicate", ...place },
              { status: "spooled", partition: null, offset: null },
              { status: "unavailable", error: "not resolved" },
            ],
          },
          SOON,
        )
      : answer(200, { error: null, success: true, results: [{ status: "duplicate", ...place }] }),
  );
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([[1, 2, 3], [3]]);
  expect(reports).toEqual([
    ["stored", 1, 2],
    ["stored", 3],
  ]);
});

it.each([
  ["a whole 503", answer(503, { error: "Server error", success: false }, SOON)],
  ["a 409", answer(409, { error: "The id is not resolved", success: false }, SOON)],
  ["a 429", answer(429, { error: "Too many requests" }, SOON)],
  ["a proxy's page", answer(502, "<html>Bad Gateway</html>", SOON)],
])("repeats all lines after %s", async (_, failed) => {
  const { end, sent } = await delivery(2, (call, index) => (index === 0 ? failed : allStored(call)));
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

it("finds the line because of which a whole request is refused", async () => {
  const { end, reports, sent } = await delivery(4, (call) =>
    numbers(eventsOf(call)).includes(3) ? answer(400, { error: "JSON is nested too deep" }) : allStored(call),
  );
  expect(end).toBe("ok");
  expect(reports).toEqual([
    ["stored", 1, 2],
    ["refused", 3, "JSON is nested too deep"],
    ["stored", 4],
  ]);
  expect(sent.map(numbers)).toEqual([[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]);
});

it("makes smaller batches after a batch that was too large", async () => {
  const { reports, sent } = await delivery(12, (call) =>
    eventsOf(call).length > 2 ? answer(413, { error: "Request Entity Too Large" }) : allStored(call),
  );
  expect(reports.flatMap(([, ...lines]) => lines)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(Math.max(...sent.slice(1).map((events) => events.length))).toBe(2);
});

it("gives up after the time limit without an outcome, and reports the unconfirmed lines", async () => {
  const { end, reports, sent } = await delivery(6, (call, index) => (index === 0 ? allStored(call) : LOST), {
    retryForMs: 5,
  });
  expect(end).toBe("unreachable");
  expect(reports).toEqual([
    ["stored", 1, 2, 3, 4],
    ["unknown", 5, 6, LOST.message],
  ]);
  expect(sent).toHaveLength(2);
});

it("does not count a batch as stored if the answer is a page", async () => {
  const { end, reports } = await delivery(2, () => answer(200, "<html>Welcome</html>"), {}).catch(
    (error: unknown) => ({
      end: error,
      reports: [],
    }),
  );
  expect(end).toBeInstanceOf(CommandFailure);
  expect(reports).toEqual([]);
});

it("accepts the answer of a gateway of Memphis, which has no results", async () => {
  const { reports } = await delivery(2, () => answer(200, { error: null, success: true }));
  expect(reports).toEqual([["stored", 1, 2]]);
});

it.each([401, 403, 404])("ends at status %s, which every other line would get too", async (status) => {
  await expect(delivery(2, () => answer(status, { error: "not here" }))).rejects.toThrow(
    `not here (${status})`,
  );
});

it("ends the wait for a retry at an interruption", async () => {
  const interruption = new AbortController();
  const { end, reports } = await delivery(
    2,
    () => {
      setImmediate(() => {
        interruption.abort();
      });
      return answer(503, { error: "Server error" }, { "retry-after": "50" });
    },
    { interruption: interruption.signal },
  );
  expect(end).toBe("interrupted");
  expect(reports).toEqual([["unknown", 1, 2, "Server error (503)"]]);
});

it.each([
  ["seconds", String(30 * 86_400)],
  ["a date", new Date(Date.now() + 30 * 86_400_000).toUTCString()],
])("sends nothing during a Retry-After of 30 days, given as %s", async (_, retryAfter) => {
  const interruption = new AbortController();
  const { end, sent } = await delivery(
    2,
    () => {
      setTimeout(() => {
        interruption.abort();
      }, 50);
      return answer(503, { error: "Server error" }, { "retry-after": retryAfter });
    },
    { retryForMs: 60 * 86_400_000, interruption: interruption.signal },
  );
  expect(end).toBe("interrupted");
  expect(sent).toHaveLength(1);
});

describe("an answer that no gateway wrote", () => {
  it.each([
    ["fewer results than lines", answer(200, { error: null, success: true, results: [stored] })],
    [
      "more results than lines",
      answer(200, { error: null, success: true, results: [stored, stored, stored] }),
    ],
    ["a refusal under 200", answer(200, { results: [stored, { status: "refused", error: "no" }] })],
    ["a success in another shape", answer(200, { success: true })],
    ["a page", answer(200, "<html>Welcome</html>")],
    ["nothing", answer(204, "")],
    ["a redirect", answer(302, "")],
    ["an incomplete answer", answer(200, '{"error":null,"success":true,"results":[{"status":"stored"')],
  ])("ends the delivery if its status is a success: %s", async (_, foreign) => {
    const reports: unknown[] = [];
    const report = {
      stored: () => reports.push("stored"),
      refused: () => Promise.resolve(void reports.push("refused")),
      unknown: (lines: readonly Line[]) => Promise.resolve(void reports.push(["unknown", lines.length])),
      progress: () => undefined,
      waiting: () => undefined,
    };
    await expect(delivery(2, () => foreign, { report })).rejects.toMatchObject({ exit: "unreachable" });
    expect(reports).toEqual([["unknown", 2]]);
  });

  it.each([
    ["a proxy's 400", answer(400, "<html>Bad Request</html>", SOON)],
    ["a proxy's 403", answer(403, { Message: "Forbidden" }, SOON)],
    ["a proxy's 404", answer(404, "default backend - 404", SOON)],
    ["another program's 404", answer(404, { results: [{ status: "refused", error: "no" }] }, SOON)],
  ])("refuses no line, and the lines are repeated: %s", async (_, foreign) => {
    const { end, reports } = await delivery(1, (call, index) => (index < 3 ? foreign : allStored(call)));
    expect(end).toBe("ok");
    expect(reports).toEqual([["stored", 1]]);
  });

  it("makes smaller batches after a proxy's 413, and gives up at a line that the proxy always refuses", async () => {
    const { end, reports } = await delivery(
      4,
      (call) =>
        numbers(eventsOf(call)).includes(3) ? answer(413, "<html>Too Large</html>", SOON) : allStored(call),
      { retryForMs: 5 },
    );
    expect(end).toBe("unreachable");
    expect(reports).toEqual([
      ["stored", 1, 2],
      ["unknown", 3, "<html>Too Large</html> (413)"],
    ]);
  });
});

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

/** Runs a delivery of `count` events `{"n": <line>}`; what was reported, in order. */
const delivery = async (
  count: number,
  script: (call: Call, index: number) => Answer | Error,
  options: Partial<DeliveryOptions> = {},
) => {
  const told: (readonly [string, ...(number | string)[]])[] = [];
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
      stored: (lines) => told.push(["stored", ...lines.map(({ number }) => number)]),
      refused: (line, error) => Promise.resolve(void told.push(["refused", line.number, error])),
      unknown: (lines, error) =>
        Promise.resolve(void told.push(["unknown", ...lines.map(({ number }) => number), error])),
      progress: () => undefined,
      waiting: (error, ms) => notes.push(`${error} ${ms}`),
    },
    ...options,
  });
  return { end, told, notes, sent: client.calls.map(eventsOf), paths: client.calls.map(({ path }) => path) };
};

const numbers = (events: readonly unknown[]): readonly number[] =>
  events.map((event) => (event as { n: number }).n);

it("sends all in order, in batches, to the station's own path", async () => {
  const { end, told, sent, paths } = await delivery(6, allStored);
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([
    [1, 2, 3, 4],
    [5, 6],
  ]);
  expect(told).toEqual([
    ["stored", 1, 2, 3, 4],
    ["stored", 5, 6],
  ]);
  expect(paths[0]).toBe("/stations/Clicks%2F1/produce/batch");
});

it("tells refused lines by the place of their results", async () => {
  const { told } = await delivery(3, () =>
    answer(400, {
      errors: ["no good"],
      results: [stored, { status: "refused", error: "no good" }, stored],
    }),
  );
  expect(told).toEqual([
    ["refused", 2, "no good"],
    ["stored", 1, 3],
  ]);
});

it("sends again, after Retry-After, only what isn't known", async () => {
  const { end, told, sent, notes } = await delivery(3, (call, index) =>
    index === 0
      ? answer(503, { results: [stored, { status: "unknown", error: "Server error" }, stored] }, SOON)
      : allStored(call),
  );
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([[1, 2, 3], [2]]);
  expect(told).toEqual([
    ["stored", 1, 3],
    ["stored", 2],
  ]);
  expect(notes).toEqual(["Server error 10"]);
});

it.each([
  ["a whole 503", answer(503, { error: "Server error", success: false }, SOON)],
  ["a 429", answer(429, { error: "Too many requests" }, SOON)],
  ["a proxy's page", answer(502, "<html>Bad Gateway</html>", SOON)],
])("sends all again after %s", async (_, failed) => {
  const { end, sent } = await delivery(2, (call, index) => (index === 0 ? failed : allStored(call)));
  expect(end).toBe("ok");
  expect(sent.map(numbers)).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

it("finds the line that the whole request is refused for", async () => {
  const { end, told, sent } = await delivery(4, (call) =>
    numbers(eventsOf(call)).includes(3) ? answer(400, { error: "JSON is nested too deep" }) : allStored(call),
  );
  expect(end).toBe("ok");
  expect(told).toEqual([
    ["stored", 1, 2],
    ["refused", 3, "JSON is nested too deep"],
    ["stored", 4],
  ]);
  expect(sent.map(numbers)).toEqual([[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]);
});

it("makes smaller batches once one was too large", async () => {
  const { told, sent } = await delivery(12, (call) =>
    eventsOf(call).length > 2 ? answer(413, { error: "Request Entity Too Large" }) : allStored(call),
  );
  expect(told.flatMap(([, ...lines]) => lines)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(Math.max(...sent.slice(1).map((events) => events.length))).toBe(2);
});

it("gives up once nothing has been settled for too long, and says what isn't known", async () => {
  const { end, told, sent } = await delivery(6, (call, index) => (index === 0 ? allStored(call) : LOST), {
    retryForMs: 5,
  });
  expect(end).toBe("unreachable");
  expect(told).toEqual([
    ["stored", 1, 2, 3, 4],
    ["unknown", 5, 6, LOST.message],
  ]);
  expect(sent).toHaveLength(2);
});

it("counts no batch as stored whose answer says nothing of it", async () => {
  const { end, told } = await delivery(2, () => answer(200, "<html>Welcome</html>"), {}).catch(
    (error: unknown) => ({
      end: error,
      told: [],
    }),
  );
  expect(end).toBeInstanceOf(CommandFailure);
  expect(told).toEqual([]);
});

it("believes a gateway of Memphis itself, which knows no results", async () => {
  const { told } = await delivery(2, () => answer(200, { error: null, success: true }));
  expect(told).toEqual([["stored", 1, 2]]);
});

it.each([401, 403, 404])("ends at a %s, which any other line would get too", async (status) => {
  await expect(delivery(2, () => answer(status, { error: "not here" }))).rejects.toThrow(
    `not here (${status})`,
  );
});

it("ends its wait when it is interrupted", async () => {
  const interruption = new AbortController();
  const { end, told } = await delivery(
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
  expect(told).toEqual([["unknown", 1, 2, "Server error (503)"]]);
});

it.each([
  ["seconds", String(30 * 86_400)],
  ["a date", new Date(Date.now() + 30 * 86_400_000).toUTCString()],
])("sends nothing before a Retry-After of 30 days is over, given as %s", async (_, retryAfter) => {
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

describe("an answer that is not the gateway's own", () => {
  it.each([
    ["fewer results than lines", answer(200, { error: null, success: true, results: [stored] })],
    [
      "more results than lines",
      answer(200, { error: null, success: true, results: [stored, stored, stored] }),
    ],
    ["a refusal under 200", answer(200, { results: [stored, { status: "refused", error: "no" }] })],
    ["a success of something else", answer(200, { success: true })],
    ["a page", answer(200, "<html>Welcome</html>")],
    ["nothing", answer(204, "")],
    ["a redirect", answer(302, "")],
    ["an answer that was cut off", answer(200, '{"error":null,"success":true,"results":[{"status":"stored"')],
  ])("ends the delivery where it claims success: %s", async (_, strange) => {
    const told: unknown[] = [];
    const report = {
      stored: () => told.push("stored"),
      refused: () => Promise.resolve(void told.push("refused")),
      unknown: (lines: readonly Line[]) => Promise.resolve(void told.push(["unknown", lines.length])),
      progress: () => undefined,
      waiting: () => undefined,
    };
    await expect(delivery(2, () => strange, { report })).rejects.toMatchObject({ exit: "unreachable" });
    expect(told).toEqual([["unknown", 2]]);
  });

  it.each([
    ["a proxy's 400", answer(400, "<html>Bad Request</html>", SOON)],
    ["a proxy's 403", answer(403, { Message: "Forbidden" }, SOON)],
    ["a proxy's 404", answer(404, "default backend - 404", SOON)],
    ["another program's 404", answer(404, { results: [{ status: "refused", error: "no" }] }, SOON)],
  ])("refuses no line and is tried again: %s", async (_, strange) => {
    const { end, told } = await delivery(1, (call, index) => (index < 3 ? strange : allStored(call)));
    expect(end).toBe("ok");
    expect(told).toEqual([["stored", 1]]);
  });

  it("makes smaller batches for a proxy's 413, and gives up at a line that it never lets through", async () => {
    const { end, told } = await delivery(
      4,
      (call) =>
        numbers(eventsOf(call)).includes(3) ? answer(413, "<html>Too Large</html>", SOON) : allStored(call),
      { retryForMs: 5 },
    );
    expect(end).toBe("unreachable");
    expect(told).toEqual([
      ["stored", 1, 2],
      ["unknown", 3, "<html>Too Large</html> (413)"],
    ]);
  });
});

import { gather, readLines, type Line } from "../../../../src/cli/commands/produce/lines.ts";

async function* chunks(...texts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

const all = async <T>(items: AsyncIterable<T>): Promise<readonly T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

const read = async (maxBytes: number, ...texts: readonly (string | Buffer)[]): Promise<readonly Line[]> =>
  (await all(readLines(chunks(...texts), maxBytes))).flat();

const shown = (lines: readonly Line[]) =>
  lines.map(({ number, text, fault }) => [number, fault ?? text.toString()]);

describe("readLines", () => {
  it("numbers lines like an editor, and skips blank lines", async () => {
    expect(shown(await read(100, '{"a":1}\n\n  \r\n{"b":2}\r\n{"c":3}'))).toEqual([
      [1, '{"a":1}'],
      [4, '{"b":2}\r'],
      [5, '{"c":3}'],
    ]);
  });

  it("joins lines and characters that arrive in several chunks", async () => {
    const whole = Buffer.from('{"a":"ä€😀"}\n{"b":1}\n');
    const pieces = Array.from(whole, (_, at) => whole.subarray(at, at + 1));
    expect(shown(await read(100, ...pieces))).toEqual([
      [1, '{"a":"ä€😀"}'],
      [2, '{"b":1}'],
    ]);
  });

  it("reports the end offset of each line", async () => {
    expect((await read(100, "{}\n{}", "\n{}")).map(({ end }) => end)).toEqual([3, 6, 8]);
  });

  it("removes a byte order mark", async () => {
    expect(shown(await read(100, "\uFEFF{}\n"))).toEqual([[1, "{}"]]);
  });

  it.each([
    ["[1]", "not a JSON object"],
    ["null", "not a JSON object"],
    ['"text"', "not a JSON object"],
    ['{"a":', "not JSON: "],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), "not UTF-8"],
  ])("finds the fault of a line that every gateway refuses: %s", async (text, fault) => {
    const [line] = await read(100, text);
    expect(line?.fault).toContain(fault);
    expect(line?.text).toHaveLength(0);
  });

  it("reports a line that is too long, and continues with the next line", async () => {
    const lines = await read(10, '{"a":"', "x".repeat(1000), '"}\n{"b":1}\n');
    expect(shown(lines)).toEqual([
      [1, "longer than 10 bytes"],
      [2, '{"b":1}'],
    ]);
  });

  it("accepts a line of exactly the maximum length", async () => {
    expect(shown(await read(7, '{"a":1}\n{"a":11}\n'))).toEqual([
      [1, '{"a":1}'],
      [2, "longer than 7 bytes"],
    ]);
  });
});

describe("gather", () => {
  const batches = async (bounds: { events: number; bytes: number }, ...texts: string[]) =>
    (await all(gather(readLines(chunks(...texts), 100), () => bounds))).map((batch) =>
      batch.map(({ number }) => number),
    );

  it("limits the number of events in a batch", async () => {
    expect(await batches({ events: 2, bytes: 1000 }, "{}\n{}\n{}\n{}\n{}\n")).toEqual([[1, 2], [3, 4], [5]]);
  });

  it("limits the bytes of a batch, and makes a batch of a single long line", async () => {
    expect(await batches({ events: 9, bytes: 6 }, '{}\n{}\n{"long":true}\n{}\n')).toEqual([[1, 2], [3], [4]]);
  });

  it("does not wait for the next chunk", async () => {
    expect(await batches({ events: 9, bytes: 1000 }, "{}\n", "{}\n{}\n")).toEqual([[1], [2, 3]]);
  });
});

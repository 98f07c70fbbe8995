/** Records of any kind in the console: none of them ends the page, or the tail. */
import path from "node:path";

interface Format {
  readonly clockTime: (milliseconds: number) => string;
  readonly isoTime: (milliseconds: number) => string | undefined;
}

const load = async <T>(file: string): Promise<T> => (await import(path.resolve("console", file))) as T;

const { clockTime, isoTime } = await load<Format>("format.js");

it.each([8.64e15 + 1, -8.64e15 - 1, Number.MAX_SAFE_INTEGER, 2 ** 63, NaN, Infinity])(
  "shows the timestamp %s, which no calendar has, as its number",
  (timestamp) => {
    expect(isoTime(timestamp)).toBeUndefined();
    expect(clockTime(timestamp)).toBe(`${timestamp} ms`);
  },
);

it("shows a valid timestamp as a time", () => {
  expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
  expect(clockTime(8.64e15)).toContain("275760");
});

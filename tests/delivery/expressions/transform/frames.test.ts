import {
  createFrameReader,
  frameOf,
  jobFrame,
  readJobFrame,
} from "../../../../src/delivery/expressions/transform/frames.ts";

describe("frames", () => {
  const FRAMES = ["", "a", "x".repeat(1000), "yz"].map((text) => Buffer.from(text));
  const bytes = Buffer.concat(FRAMES.flatMap((content) => frameOf([content])));

  it.each([1, 3, 4, 7, 500, 5000])("are the same after a pipe that cuts them every %i bytes", (length) => {
    const read: string[] = [];
    const reader = createFrameReader((frame) => read.push(frame.toString()));
    for (let at = 0; at < bytes.length; at += length) reader(bytes.subarray(at, at + length));

    expect(read).toStrictEqual(FRAMES.map(String));
  });

  it("carry a job", () => {
    const description = { expression: "$.ä", variables: { key: "k", time: null } };
    const [, ...parts] = jobFrame(description, Buffer.from('{"ä":1}'));
    const { value, ...job } = readJobFrame(Buffer.concat(parts));

    expect(job).toStrictEqual({ description });
    expect(value.toString()).toBe('{"ä":1}');
  });

  it("carry null for a record without a value", () => {
    const [, ...parts] = jobFrame({ expression: "$", variables: {} }, null);

    expect(readJobFrame(Buffer.concat(parts)).value.toString()).toBe("null");
  });
});

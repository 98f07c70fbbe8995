import { retryFlag } from "../../../../src/delivery/connectors/auckland/answers.ts";

describe("retryFlag", () => {
  it.each([
    ['{"retry":false}', false],
    ['{"retry":"false"}', false],
    ['{"retry":"False"}', false],
    ['{"retry":0}', false],
    ['{"retry":true}', true],
    ['{"retry":"TRUE"}', true],
    ['{"retry":"true","more":[1]}', true],
    ['{"retry":1}', undefined],
    ['{"retry":null}', undefined],
    ['{"retry":"no"}', undefined],
    ['{"other":false}', undefined],
    ['[{"retry":false}]', undefined],
    ["null", undefined],
    ["", undefined],
    ["OK", undefined],
    ['{"retry":fal', undefined],
  ])("%s", (body, flag) => {
    expect(retryFlag(Buffer.from(body))).toBe(flag);
  });
});

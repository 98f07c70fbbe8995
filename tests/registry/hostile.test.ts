/** Many different unknown ids. The line is a fake, so that many requests take little time. */
import { SchemaUnusable } from "../../src/formats/format.ts";
import { createAnswers } from "../../src/registry/answers.ts";
import { createKnown } from "../../src/registry/known.ts";
import type { Line } from "../../src/registry/line.ts";
import { createResolve } from "../../src/registry/references.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { errorOf, NEGATIVE_TTL, textOf, TTL } from "./support.ts";

const setUp = () => {
  let asked = 0;
  const line: Line = {
    ask: (request) => {
      asked += 1;
      const isKnown = request.path.includes("known-value");
      const body = JSON.stringify(
        isKnown
          ? { subject: "known-value", id: 1, version: 1, schema: textOf("Known") }
          : { error_code: 40403, message: "Schema not found" },
      );
      const outcome = request.read({ status: isKnown ? 200 : 404, body });
      if (outcome.status === "unavailable") return Promise.reject(new Error(outcome.reason));
      return Promise.resolve(outcome);
    },
    isDown: false,
    retire: () => undefined,
    close: () => Promise.resolve(),
  };
  const options = {
    ...{ line, clock: createFakeClock(), maxSchemaBytes: 10_000, maxSchemas: 100, normalize: false },
    ...{ cacheTtlMs: TTL, negativeTtlMs: NEGATIVE_TTL, onStale: () => undefined },
    limits: { maxDepth: 1, maxBytes: 1, unknownFields: "refuse" as const },
    compile: () => {
      throw new SchemaUnusable("the schema is only counted");
    },
  };
  const known = createKnown({
    ...options,
    compile: ({ type }) => ({ type, name: "Known", encode: (json) => json, decode: (payload) => payload }),
  });
  const answers = createAnswers({ ...options, known, resolve: createResolve(options) });
  return { answers, asked: () => asked };
};

it("unknown ids and subjects displace no known schema, and the older ones are forgotten", async () => {
  const { answers, asked } = setUp();
  const latest = { of: { subject: "known-value" }, by: "latest" } as const;
  const unknown = (n: number) => ({ of: { subject: `unknown-${n}` }, by: "latest" }) as const;
  await answers.ask(latest);
  const codes = new Set<string | undefined>();
  for (let id = 2; id <= 15_001; id += 1)
    codes.add((await errorOf(() => answers.askSchema(id, undefined))).code);
  for (let n = 0; n < 15_000; n += 1) codes.add((await errorOf(() => answers.ask(unknown(n)))).code);
  expect([...codes]).toEqual(["SCHEMA_UNKNOWN"]);
  expect(asked()).toBe(30_001);
  expect(answers.recall(latest)).toMatchObject({ id: 1, schema: { name: "Known" } });
  expect(() => answers.recall(unknown(14_999))).toThrow("unknown-14999");
  expect(() => answers.recall(unknown(5_000))).toThrow("unknown-5000");
  expect(answers.recall(unknown(4_999))).toBeUndefined();
  expect(answers.recallSchema(2, undefined)).toBeUndefined();
}, 60_000);

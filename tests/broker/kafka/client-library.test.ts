import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import * as library from "../../../src/broker/kafka/client-library.ts";

const BUNDLE = "dist/broker/kafka/client-library.js";

it("has the same parts in the bundle of the build", async () => {
  const script = `import * as bundle from "./${BUNDLE}"; console.log(JSON.stringify(Object.keys(bundle)))`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  expect((JSON.parse(stdout) as string[]).toSorted()).toEqual(Object.keys(library).toSorted());
});

it("does not load the package, ajv or avsc from the bundle", async () => {
  expect(await readFile(BUNDLE, "utf8")).not.toMatch(/from "@platformatic|node_modules\/(ajv|avsc)\//);
});

/** The chart's values are documented, have a schema, and are listed in the README. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { readPage } from "../support/pages/blocks.ts";
import { expectPrinted } from "../support/printed.ts";
import { chartReadme, valueRows } from "./readme.ts";

const CHART = "helm/stationgate";
const valuesText = readFileSync(`${CHART}/values.yaml`, "utf8");
const values = parse(valuesText) as Record<string, unknown>;
const validate = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(`${CHART}/values.schema.json`, "utf8")) as object,
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const overlay = (under: unknown, over: unknown): unknown =>
  isObject(under) && isObject(over)
    ? { ...under, ...Object.fromEntries(Object.entries(over).map(([k, v]) => [k, overlay(under[k], v)])) }
    : over;

/** The sets of values that the guide shows. */
const { fences } = await readPage("docs/guides/kubernetes.md");
const shown = fences.flatMap(({ word, text }) => (word.endsWith("-values.yaml") ? [{ word, text }] : []));

const sets = readdirSync(`${CHART}/ci`);

describe("the chart's values", () => {
  it("each have a comment", () => {
    expect(
      valueRows(valuesText)
        .filter(({ help }) => help === "")
        .map(({ key }) => key),
    ).toEqual([]);
  });

  it("are all in the README", async () => {
    await expectPrinted(`${CHART}/README.md`, chartReadme(valuesText));
  });

  it("have eight checked sets", () => {
    expect(sets).toHaveLength(8);
  });

  it.each(["../values.yaml", ...sets])("%s follows the schema", (file) => {
    const given = overlay(values, parse(readFileSync(path.join(CHART, "ci", file), "utf8")));
    expect([validate(given), validate.errors]).toEqual([true, null]);
  });

  it.each(shown)("the guide's $word follows the schema", ({ text }) => {
    expect([validate(overlay(values, parse(text))), validate.errors]).toEqual([true, null]);
  });

  it.each([
    ["a key that nobody knows", { gatway: {} }],
    ["a wrong type", { gateway: { replicas: "two" } }],
    ["roles, which are the chart's to give", { config: { roles: ["ingest"] } }],
    [
      "two Deployments on one embedded log",
      { config: { broker: { type: "embedded" } }, delivery: { enabled: true } },
    ],
    [
      "an autoscaled embedded log",
      { config: { broker: { type: "embedded" } }, gateway: { autoscaling: { enabled: true } } },
    ],
    [
      "a required client certificate on the port of the probes",
      { config: { server: { tls: { clientAuth: "required" } } } },
    ],
    ["a spool without kinds of events", { spool: { enabled: true } }],
    [
      "a spool for the embedded log",
      { config: { broker: { type: "embedded" }, spool: { for: ["beacon"] } }, spool: { enabled: true } },
    ],
    ["an Ingress without a host", { ingress: { enabled: true } }],
    ["an HTTPRoute without a Gateway", { httpRoute: { enabled: true } }],
  ])("the schema refuses %s", (_what, given) => {
    expect(validate(overlay(values, given))).toBe(false);
  });
});

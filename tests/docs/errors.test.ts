/** The table of docs/errors.md is printed from the error codes and their meanings. Only the last column is written by hand. */
import { readFileSync } from "node:fs";
import { ERRORS, type ErrorCode, type FailureOutcome } from "../../src/errors.ts";
import { ERROR_MEANINGS } from "../../src/http/openapi/error-meanings.ts";
import { expectPrinted } from "../support/printed.ts";

const PAGE = "docs/errors.md";
const ROW = /^\|\s*`([A-Z_]+)`\s*\|.*\|\s*(\S.*?)\s*\|$/;
const STORED: Readonly<Record<FailureOutcome, string>> = {
  refused: "no",
  unavailable: "not yet",
  unknown: "maybe",
};

const lines = readFileSync(PAGE, "utf8").split("\n");
const remedies = new Map(
  lines.flatMap((line) => {
    const [, code = "", remedy = ""] = ROW.exec(line) ?? [];
    return code === "" ? [] : [[code, remedy] as const];
  }),
);

const rowOf = (code: ErrorCode): string => {
  const { status, restProxy, outcome } = ERRORS[code];
  const remedy = remedies.get(code) ?? "";
  return `| \`${code}\` | ${status} | ${restProxy} | ${STORED[outcome]} | ${ERROR_MEANINGS[code]} | ${remedy} |`;
};

const codes = Object.keys(ERRORS) as ErrorCode[];

it("says for each code what to do", () => {
  expect(codes.filter((code) => !remedies.has(code))).toEqual([]);
});

it("lists exactly the error codes, with their meanings in the OpenAPI documents", async () => {
  const first = lines.findIndex((line) => ROW.test(line));
  const others = lines.filter((line) => !ROW.test(line));
  await expectPrinted(
    PAGE,
    [...others.slice(0, first), ...codes.map(rowOf), ...others.slice(first)].join("\n"),
  );
});

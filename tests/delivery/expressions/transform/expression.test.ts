import { transformFault } from "../../../../src/delivery/expressions/transform/expression.ts";

describe("the text of a transform", () => {
  it.each([
    "$",
    '{"id": order.id, "eval": `eval`}',
    "$sum(items.price)",
    'eval & "$eval"',
    "($f := function($x){$x}; $f(1))",
  ])("is accepted: %s", (text) => {
    expect(transformFault(text)).toBeUndefined();
  });

  it.each([
    ["{", 'Expected ":" before end of expression (at character 1)'],
    ["/a(/", "No terminating / in regular expression (at character 4)"],
    ['$eval("1")', "$eval is not allowed"],
    ["($e := $eval; $e($))", "$eval is not allowed"],
    ["items.{'a': $map(b, $eval)}", "$eval is not allowed"],
    ["$ ~> |$|{'x': $eval('1')}|", "$eval is not allowed"],
    [`"${"x".repeat(16 * 1024)}"`, "it is longer than 16 KiB"],
  ])("number %# is refused", (text, reason) => {
    expect(transformFault(text)).toBe(reason);
  });
});

import { Environment } from "@marcbachmann/cel-js";
import type { ConsumedRecord } from "../../../../src/broker/broker.ts";
import { eventOf } from "../../../../src/delivery/expressions/event.ts";
import { compileFilter, type FilterOutcome } from "../../../../src/delivery/expressions/filter/filter.ts";
import { recordOf } from "../events.ts";

const outcomeOf = (text: string, record: ConsumedRecord): FilterOutcome => {
  const compiled = compileFilter(text);
  if ("reason" in compiled) throw new Error(compiled.reason);
  return compiled.filter(eventOf(record));
};

const reasonOf = (text: string): string | undefined => {
  const compiled = compileFilter(text);
  return "reason" in compiled ? compiled.reason : undefined;
};

const ORDER = {
  amount: 150,
  part: 0.5,
  state: "paid",
  note: null,
  ok: true,
  items: [
    { sku: "a", n: 1 },
    { sku: "b", n: 2, gift: true },
  ],
  tags: ["new", "eu"],
  address: { city: "Bern", zip: "3000" },
};

describe("the variables of an event", () => {
  it.each([
    "data.amount > 100",
    "data.amount == 150 && data.amount != 150.5",
    "data.amount >= 150 && data.part < 1",
    'topic == "orders" && partition == 3 && offset == 7',
    'key == "k1"',
    'headers["x-event-type"] == "order.paid" && eventType == "order.paid"',
    'time > timestamp("2026-02-28T00:00:00Z") && time.getHours() == 10',
    'time - timestamp("2026-03-01T09:00:00Z") == duration("1h")',
  ])("passes an event for which it holds: %s", (text) => {
    expect(outcomeOf(text, recordOf(ORDER))).toBe("match");
  });

  it("has null for a value that isn't JSON, for no value, no key and no type", () => {
    const text = "data == null && key == null && eventType == null";
    const bare = { key: null, headers: [] };
    expect(outcomeOf(text, recordOf(0, { ...bare, value: Buffer.from("{") }))).toBe("match");
    expect(outcomeOf(text, recordOf(0, { ...bare, value: null }))).toBe("match");
  });

  it("finds members with names that every JavaScript object has only if the event has them", () => {
    expect(outcomeOf("has(data.constructor)", recordOf({}))).toBe("no_match");
    expect(outcomeOf("data.constructor.name == 1", recordOf({}))).toBe("error");
    const own = recordOf(0, { value: Buffer.from('{"__proto__": {"a": 1}, "constructor": 2}') });
    expect(outcomeOf('data["__proto__"].a == 1 && data.constructor == 2', own)).toBe("match");
    expect(outcomeOf("has(headers.toString)", recordOf({}))).toBe("no_match");
  });
});

describe("an error at run time", () => {
  it.each([
    "data.absent == 1",
    "data.state > 1",
    "data.amount + 1 == 151",
    "data.items[2].n == 1",
    "data.amount",
    "data.amount / 0 == 1",
    "1 / (partition - 3) == 1",
    "data.ok ? data.absent : true",
    '!(data.state) || data.state == "x"',
    "data.items.map(i, i.gift) == []",
    "9223372036854775807 + partition > 0",
  ])("is no match: %s", (text) => {
    expect(outcomeOf(text, recordOf(ORDER))).toBe("error");
  });

  it("doesn't count where the other operand, or another element, decides", () => {
    expect(outcomeOf("data.absent == 1 || data.ok", recordOf(ORDER))).toBe("match");
    expect(outcomeOf("data.absent == 1 && !data.ok", recordOf(ORDER))).toBe("no_match");
    expect(outcomeOf("data.items.exists(i, i.gift)", recordOf(ORDER))).toBe("match");
    expect(outcomeOf("data.items.all(i, i.gift)", recordOf(ORDER))).toBe("error");
  });
});

describe("the functions and macros", () => {
  it.each([
    "has(data.note) && data.note == null && !has(data.absent) && !has(data.state.length)",
    '"eu" in data.tags && "city" in data.address && !("x" in data.tags)',
    'data.items.exists(i, i.sku == "b" && i.n == 2)',
    "data.items.exists(i, has(i.gift)) && data.items.all(i, i.n > 0)",
    "data.items.exists_one(i, i.n == 1)",
    "data.items.filter(i, i.n > 1).map(i, i.sku) == ['b']",
    "data.items.map(i, i.n > 1, i.sku) == ['b'] && data.address.exists(name, name == 'zip')",
    "size(data.items) == 2 && data.state.size() == 4 && data.address.size() == 2",
    'data.state.startsWith("pa") && data.state.endsWith("id") && data.state.contains("ai")',
    'data.tags.join("-") == "new-eu" && "a,b".split(",") == ["a", "b"]',
    'int(data.amount) % 2 == 0 && double("1.5") == 1.5 && string(data.part) == "0.5"',
    "cel.bind(first, data.items[0], first.n == 1 && first.sku == 'a')",
    '{"paid": true}[data.state]',
    "[1, 'x', data.ok][2] && [1] + [2] == [1, 2] && data.amount in [1, 150]",
    'data.items == [{"sku": "a", "n": 1}, {"n": 2, "gift": true, "sku": "b"}]',
    "1u + 1u == 2u && b'ab' == bytes('ab') && -data.amount < 0 && 7 / 2 == 3",
    'data.state.matches("^p[a-z]+$") && !data.state.matches("x") && data.state.matches("(?i)PAID")',
    "dyn(data.note) == null && data.state != 1",
  ])("work: %s", (text) => {
    expect(outcomeOf(text, recordOf(ORDER))).toBe("match");
  });
});

describe("what is refused", () => {
  it.each([
    ["data.amount >", "Unexpected token: EOF (at character 14)"],
    ["amount > 1", "Unknown variable: amount (at character 1)"],
    ["data.foo(1)", "found no matching overload for 'dyn.foo(int)' (at character 1)"],
    ["int == 1", "no such overload: type == int (at character 1)"],
    ["[int].size() == 1", "int is not a variable of an event"],
    ["1 + 1", "its result is never a bool, but of the type int"],
    ["data.ok ? 1 : 2", "its result is never a bool, but of the type int"],
    [`data.x == "${"y".repeat(4096)}"`, "it is longer than 4 KiB"],
    [`${"1+".repeat(300)}1 == 2`, "it has more than 500 nodes"],
    [`${"(".repeat(40)}true${")".repeat(40)}`, "it is deeper than 32"],
    ["data.a.exists(x, data.b.exists(y, x == y))", "exists is a macro inside a macro"],
    [
      "data.a.map(x, has(x.b) ? x.c.size() : x.d.filter(y, y).size()).size() == 1",
      "filter is a macro inside a macro",
    ],
    ['data.s.matches("(?=a)")', 'RE2 doesn\'t support the pattern "(?=a)": '],
    ['data.s.matches("(a)\\\\1")', 'RE2 doesn\'t support the pattern "(a)\\\\1": '],
    ["data.s.matches(data.p)", "the pattern of matches must be a text in quotation marks"],
    [`data.s.matches("${"((a?){50}){20}".repeat(5)}")`, "the patterns are too large"],
    ["type(data.a) == int", "type is not served here"],
  ])("number %#", (text, reason) => {
    expect(reasonOf(text)?.slice(0, reason.length)).toBe(reason);
  });

  it("lets a macro follow another", () => {
    expect(reasonOf("data.a.filter(x, x > 1).exists(x, x == 2)")).toBeUndefined();
  });
});

describe("the steps of an evaluation", () => {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  const text = "a".repeat(60_000);

  it.each([
    ["a macro", "data.l.all(x, x >= 0 && x + 0.5 > 0.0)", 5_000],
    ["comparisons of elements", "[1].map(x, data.l == data.m) == [true]", 30_000],
    ["a search in a list", "-1 in data.l || true", 60_000],
  ])("count elements: %s", (_, filter, count) => {
    const small = { l: numbers(count), m: numbers(count) };
    const large = { l: numbers(count * 4), m: numbers(count * 4) };
    expect(outcomeOf(filter, recordOf(small))).toBe("match");
    expect(outcomeOf(filter, recordOf(large))).toBe("error");
  });

  it.each([
    "(data.s + data.s).size() > 0 || true",
    "[1, 2].all(x, data.s == data.t)",
    '[1, 2].all(x, data.s.contains("b") == false)',
    '[1, 2].all(x, data.s.matches("b") == false)',
    "data.s.contains(data.t)",
    "[1, 2].exists(x, data.s < data.t) || true",
    "[1, 2].map(x, [data.s].join()).size() == 2",
  ])("count characters: %s", (filter) => {
    expect(outcomeOf(filter, recordOf({ s: text, t: text }))).toBe("error");
    expect(outcomeOf(filter, recordOf({ s: "aa", t: "aa" }))).not.toBe("error");
  });

  it("count the instructions of a pattern", () => {
    const filter = 'data.s.matches("[ab]*a[ab]{900}c")';
    expect(outcomeOf(filter, recordOf({ s: "ab".repeat(400) }))).toBe("no_match");
    expect(outcomeOf(filter, recordOf({ s: "ab".repeat(4000) }))).toBe("error");
  });

  it("can't be hidden by an error of one element", () => {
    const elements = numbers(90_000);
    expect(outcomeOf("data.exists(x, x.y == 1 && x.z == 1) || true", recordOf(elements))).toBe("error");
  });

  it("are counted for deep values without an end of the process", () => {
    const deep = `${"[".repeat(50_000)}1${"]".repeat(50_000)}`;
    const value = Buffer.from(`{"a":${deep},"b":${deep}}`);
    expect(outcomeOf("data.a == data.b || true", recordOf(0, { value }))).toMatch(/match|error/);
  });

  it("don't let a text be read as a duration in more than linear time", () => {
    expect(outcomeOf('duration(data.s) > duration("1h")', recordOf({ s: "1".repeat(50_000) }))).toBe("error");
  });
});

/** The library's own evaluation says what is right, where both have a result. */
describe("the same result as cel-js", () => {
  const OPERANDS = [
    ...[
      "data.amount",
      "data.part",
      "data.state",
      "data.note",
      "data.ok",
      "data.tags",
      "data.address",
      "data.absent",
    ],
    ...[
      "1",
      "-2",
      "0",
      "0.5",
      '"paid"',
      '"a"',
      "true",
      "null",
      "[1]",
      '["new", "eu"]',
      "offset",
      "key",
      "topic",
    ],
  ];
  const OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in", "&&", "||"];
  const SHAPES = OPERANDS.flatMap((left) =>
    OPERANDS.flatMap((right) => OPERATORS.map((operator) => `${left} ${operator} ${right}`)),
  );
  const record = recordOf(ORDER);
  const event = eventOf(record);
  const context = {
    ...{ data: event.data, topic: event.topic, key: event.key, partition: BigInt(event.partition) },
    ...{ offset: event.offset, headers: event.headers, time: event.time, eventType: event.eventType },
  };
  const library = new Environment({ homogeneousAggregateLiterals: false })
    .registerVariable("data", "dyn")
    .registerVariable("topic", "string")
    .registerVariable("key", "dyn")
    .registerVariable("offset", "int");

  const byLibrary = (text: string): FilterOutcome => {
    try {
      const result: unknown = library.evaluate(text, context);
      return result === true ? "match" : result === false ? "no_match" : "error";
    } catch {
      return "error";
    }
  };

  it("for each operator between values of all types", () => {
    const different = SHAPES.filter((text) => {
      const compiled = compileFilter(text);
      const expected = byLibrary(text);
      return "filter" in compiled && expected !== "error" && compiled.filter(event) !== expected;
    });
    expect(different).toEqual([]);
  });

  it("and an error where the library has one, but for a comparison of different types", () => {
    const different = SHAPES.filter((text) => {
      const compiled = compileFilter(text);
      return (
        "filter" in compiled &&
        byLibrary(text) === "error" &&
        compiled.filter(event) !== "error" &&
        !/ (==|!=|in) /.test(text)
      );
    });
    expect(different).toEqual([]);
  });
});

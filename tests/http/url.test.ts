import { pathOf, pathParameter, queryOf, queryTextOf } from "../../src/http/url.ts";

it.each([
  ["/a%2Fb", "/a%2Fb", ""],
  ["/a?x=1&y=?", "/a", "x=1&y=?"],
  ["?", "", ""],
])("splits %s into path and query", (url, path, query) => {
  expect([pathOf(url), queryTextOf(url)]).toEqual([path, query]);
});

it("decodes query parameters, and returns none without a question mark", () => {
  const query = queryOf({ url: "/a?x=1&x=%20&flag" });
  expect([query.getAll("x"), query.get("flag"), query.get("y")]).toEqual([["1", " "], "", null]);
  expect(queryOf({ url: "/a" }).has("x")).toBe(false);
});

it("returns a path parameter, or an empty text if it is absent or a list", () => {
  const params = { name: "plain", rest: ["a", "b"] };
  expect(["name", "rest", "other"].map((name) => pathParameter({ params }, name))).toEqual(["plain", "", ""]);
});

import { messageOf } from "../../../src/cli/client.ts";

it.each([
  [{ error: "Invalid JSON", success: false }, "Invalid JSON"],
  [{ message: "Unauthorized" }, "Unauthorized"],
  [{ message: [{ field: "Username", reason: "required" }] }, "Username: required"],
  [{ errors: ["a", "b"], fail: 2 }, "a; b"],
  [{ error_code: 404, message: "Connector x not found" }, "Connector x not found"],
  [{ title: "Not Found", detail: "no such path" }, "no such path"],
  [{ title: "Not Found" }, "Not Found"],
])("reads the message of %j", (body, message) => {
  expect(messageOf({ status: 400, text: JSON.stringify(body) })).toBe(message);
});

it("cuts the text of another server, and names the status of an empty answer", () => {
  expect(messageOf({ status: 502, text: `<html>\n  ${"x".repeat(500)}` })).toHaveLength(200);
  expect(messageOf({ status: 502, text: "" })).toBe("the gateway answered 502");
});

it.each([
  ["an error's text", JSON.stringify({ error: "no\u001b]0;title\u0007 way" }), "no ]0;title  way"],
  ["a page", "\u001b[2J<html>", "[2J<html>"],
])("removes control characters from %s", (_, text, message) => {
  expect(messageOf({ status: 400, text })).toBe(message);
});

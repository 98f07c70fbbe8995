import { fromBase64 } from "../../../src/ingest/content/content-type.ts";

it.each(["", "aGk=", "aGk", "aGVsbG8h", "/+8=", "AA=="])("reads %j", (text) => {
  expect(fromBase64(text)).toEqual(Buffer.from(text, "base64"));
});

it.each(["a", "aGk==", "a===", "aG k", "aGk=aGk=", "_-8=", "aGVsb=", "é"])("refuses %j", (text) => {
  expect(fromBase64(text)).toBeUndefined();
});

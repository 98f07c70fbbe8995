import { escapeHtml } from "../../src/lib/html.ts";

it("escapes every character that ends a text or a value", () => {
  expect(escapeHtml(`<a href="x" id='y'>&amp;`)).toBe("&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;");
});

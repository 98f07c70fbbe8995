/** The page that is drawn from an OpenAPI document. */
import { renderDocsPage } from "../../../../src/http/handlers/docs/page.ts";
import { openApiDocument } from "../../../../src/http/openapi/openapi.ts";

const page = renderDocsPage(
  openApiDocument({ title: "<b>Title</b>", version: "1", description: "With `code`.\n\nAnd more." }, [
    {
      method: "GET",
      path: "/things/:name",
      family: "problem",
      auth: "admin",
      handler: () => undefined,
      documentation: {
        id: "showThing",
        tag: "Things",
        summary: 'Show "one" & <all>',
        answers: { 204: { description: "Done." } },
        errors: ["BROKER_UNAVAILABLE"],
      },
    },
  ]),
);

describe("renderDocsPage", () => {
  it("shows each operation with its answers", () => {
    expect(page).toContain('<details id="showThing">');
    expect(page).toContain("<code>/things/{name}</code>");
    expect(page).toContain("<td>503</td>");
    expect(page).toContain(
      "Credential: <code>operator</code> or <code>operatorAsBasic</code> or <code>operatorSession</code> or <code>operatorCertificate</code>.",
    );
  });

  it("escapes all texts", () => {
    expect(page).toContain("<h1>&lt;b&gt;Title&lt;/b&gt;</h1>");
    expect(page).toContain("Show &quot;one&quot; &amp; &lt;all&gt;");
    expect(page).toContain("<p>With <code>code</code>.</p><p>And more.</p>");
  });

  it("has no script and loads no file", () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:\/\//);
  });

  it("links only to sections that exist", () => {
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((id) => !ids.has(id))).toEqual([]);
  });
});

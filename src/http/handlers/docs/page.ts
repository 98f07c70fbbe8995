/** An OpenAPI document as one HTML page. It has no script, loads no other file, and escapes every text of the document. */
import { escapeHtml as escape } from "../../../lib/html.ts";
import type { OpenApiDocument } from "../../openapi/openapi.ts";

/** Paragraphs of text. Text between backticks becomes `<code>`. */
const prose = (text: string): string =>
  text
    .split("\n\n")
    .map((paragraph) => `<p>${escape(paragraph).replace(/`([^`]*)`/g, "<code>$1</code>")}</p>`)
    .join("");

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${line(head, "th")}</thead><tbody>${rows.map((cells) => line(cells, "td")).join("")}</tbody></table>`;
};

/** Content that is hidden behind its summary until the reader opens it. */
const fold = (summary: string, content: string, id?: string): string =>
  `<details${id === undefined ? "" : ` id="${escape(id)}"`}><summary>${summary}</summary>${content}</details>`;

/** The style of the page. The Content-Security-Policy contains its digest, so the page must contain it unchanged. */
export const DOCS_STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #3d444d); --soft: light-dark(#f6f8fa, #151b23);
  --link: light-dark(#0757ba, #6cb0ff); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem 1.25rem 6rem; }
h1 { margin-bottom: 0; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; padding-bottom: .25rem; }
a { color: var(--link); }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: .75rem; }
nav ul { columns: 18rem; padding-left: 1.25rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: 0 .75rem; }
details details { margin: .25rem 0 .75rem; }
summary { cursor: pointer; padding: .5rem 0; }
summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: .35rem .5rem .35rem 0; text-align: left; vertical-align: top; }
td p { margin: 0; }
`;

type Content = Readonly<Record<string, { readonly schema: unknown }>>;

/** The members of an operation that the page shows. */
interface ShownOperation {
  readonly operationId: string;
  readonly tags: readonly [string];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description: string;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

interface Entry extends ShownOperation {
  readonly method: string;
  readonly path: string;
}

const entriesOf = ({ paths }: OpenApiDocument): readonly Entry[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...(operation as unknown as ShownOperation),
      method: method.toUpperCase(),
      path,
    })),
  );

const schemas = (content: Content = {}): string =>
  Object.entries(content)
    .map(([mediaType, { schema }]) => {
      const text = JSON.stringify(schema, undefined, 2);
      return text === "{}"
        ? `<p><code>${escape(mediaType)}</code></p>`
        : fold(`<code>${escape(mediaType)}</code>`, `<pre>${escape(text)}</pre>`);
    })
    .join("");

const credentials = ({ security }: Entry): string => {
  const names = security.flatMap((scheme) => Object.keys(scheme));
  return names.length === 0
    ? "<p>No credential.</p>"
    : `<p>Credential: ${names.map((name) => `<code>${escape(name)}</code>`).join(" or ")}.</p>`;
};

const parameterTable = ({ parameters = [] }: Entry): string =>
  parameters.length === 0
    ? ""
    : `<h4>Parameters</h4>${table(
        ["name", "in", "meaning"],
        parameters.map(({ name, in: place, description }) => [
          `<code>${escape(name)}</code>`,
          place,
          prose(description),
        ]),
      )}`;

const bodyOf = ({ requestBody }: Entry): string =>
  requestBody === undefined ? "" : `<h4>Body</h4>${schemas(requestBody.content)}`;

const answerTable = ({ responses }: Entry): string =>
  `<h4>Answers</h4>${table(
    ["status", "meaning", "body"],
    Object.entries(responses).map(([status, { description, content }]) => [
      status,
      prose(description),
      schemas(content),
    ]),
  )}`;

const operation = (entry: Entry): string =>
  fold(
    `<b>${entry.method}</b> <code>${escape(entry.path)}</code> ${escape(entry.summary)}`,
    [
      prose(entry.description ?? ""),
      credentials(entry),
      parameterTable(entry),
      bodyOf(entry),
      answerTable(entry),
    ].join(""),
    entry.operationId,
  );

const chapters = (entries: readonly Entry[]): readonly string[] => [
  ...new Set(entries.map(({ tags: [tag] }) => tag)),
];

const chapter = (tag: string, entries: readonly Entry[]): string =>
  `<section><h2 id="${escape(tag)}">${escape(tag)}</h2>${entries
    .filter(({ tags }) => tags[0] === tag)
    .map(operation)
    .join("")}</section>`;

const componentList = ({ components }: OpenApiDocument): string =>
  Object.entries((components as { readonly schemas: Readonly<Record<string, unknown>> }).schemas)
    .map(([name, schema]) =>
      fold(`<code>${escape(name)}</code>`, `<pre>${escape(JSON.stringify(schema, undefined, 2))}</pre>`),
    )
    .join("");

export const renderDocsPage = (document: OpenApiDocument): string => {
  const { info } = document;
  const entries = entriesOf(document);
  const tags = chapters(entries);
  const links = [...tags, "Schemas"].map((tag) => `<li><a href="#${escape(tag)}">${escape(tag)}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)}</title>
<style>${DOCS_STYLE}</style>
</head>
<body>
<header><h1>${escape(info.title)}</h1><p>${escape(info.version)}, <a href="openapi.json">openapi.json</a></p>${prose(info.description)}</header>
<nav aria-label="Chapters"><ul>${links.join("")}</ul></nav>
<main>${tags.map((tag) => chapter(tag, entries)).join("")}
<section><h2 id="Schemas">Schemas</h2>${componentList(document)}</section></main>
</body>
</html>
`;
};

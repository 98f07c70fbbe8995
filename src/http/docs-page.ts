/** An OpenAPI document as one page to read: no script, nothing fetched. */
import { escape, fold, prose, table } from "./docs-page/html.ts";
import { DOCS_STYLE } from "./docs-page/style.ts";
import type { OpenApiDocument } from "./openapi.ts";

type Content = Readonly<Record<string, { readonly schema: unknown }>>;

/** What our own documents hold, as far as the page shows it. */
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

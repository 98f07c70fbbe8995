/** Markup that can't be broken by what stands in it. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);

/** Prose with `code` in it, in paragraphs. */
export const prose = (text: string): string =>
  text
    .split("\n\n")
    .map((paragraph) => `<p>${escape(paragraph).replace(/`([^`]*)`/g, "<code>$1</code>")}</p>`)
    .join("");

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${line(head, "th")}</thead><tbody>${rows.map((cells) => line(cells, "td")).join("")}</tbody></table>`;
};

/** What stands behind one line until somebody opens it. */
export const fold = (summary: string, content: string, id?: string): string =>
  `<details${id === undefined ? "" : ` id="${escape(id)}"`}><summary>${summary}</summary>${content}</details>`;

/** A URL with templates in its path and its query. */
import { httpUrl, type Parse } from "../config-values.ts";
import {
  fill,
  type Filled,
  hasReference,
  parseTemplate,
  percentEncoded,
  type Template,
  type TemplateSource,
} from "./template.ts";

export interface UrlTemplate {
  /** With a placeholder for each template. Only its path and query have templates. */
  readonly url: URL;
  readonly path: Template;
  /** Begins with `?` if it isn't empty. */
  readonly query: Template;
}

/** A text of lower-case letters that doesn't occur in the URL, so that the URL parser leaves it as it is. */
const unusedMark = (raw: string): string => {
  let mark = "zq";
  while (raw.toLowerCase().includes(mark)) mark += "q";
  return mark;
};

/** `raw` with its templates replaced, and a function that puts them back. */
const markedOf = (raw: string) => {
  const mark = unusedMark(raw);
  const template = parseTemplate(raw);
  const text = template.map((part, index) => (typeof part === "string" ? part : `${mark}${index}x`)).join("");
  const restored = (parsed: string): Template =>
    parsed.split(new RegExp(`${mark}(\\d+)x`)).flatMap((part, index) => {
      if (index % 2 === 1) return template[Number(part)] ?? [];
      return part === "" ? [] : [part];
    });
  return { mark, text, restored };
};

export const urlTemplate: Parse<UrlTemplate> = (raw) => {
  const { mark, text, restored } = markedOf(raw.trim());
  const parsed = httpUrl(text);
  if ("reason" in parsed) return parsed;
  const { value: url } = parsed;
  if (`${url.username}${url.password}${url.host}`.includes(mark))
    return { reason: "Templates are allowed only in the path and the query" };
  return { value: { url, path: restored(url.pathname), query: restored(url.search) } };
};

/** Path and query for the record. `withKey`: appends the record's key to the path, unless the URL has `${key}`. */
export const fillUrl = ({ path, query }: UrlTemplate, source: TemplateSource, withKey: boolean): Filled => {
  const filledPath = fill(path, source, percentEncoded);
  const filledQuery = fill(query, source, percentEncoded);
  if ("reason" in filledPath) return filledPath;
  if ("reason" in filledQuery) return filledQuery;
  const appendsKey = withKey && !hasReference(path, "key") && !hasReference(query, "key");
  const slash = filledPath.text.endsWith("/") ? "" : "/";
  const key = appendsKey ? `${slash}${percentEncoded(source.record.key ?? Buffer.alloc(0))}` : "";
  return { text: `${filledPath.text}${key}${filledQuery.text}` };
};

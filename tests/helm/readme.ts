/** Generates the chart's README from its values file: each key with its default and its comment that begins with `--`. */
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";

interface ValueRow {
  readonly key: string;
  readonly help: string;
  readonly value: unknown;
}

const helpOf = (comment: string | null | undefined): string | undefined => {
  const text = comment
    ?.split("\n")
    .map((line) => line.trim())
    .join(" ");
  return text?.includes("--") === true ? text.slice(text.indexOf("--") + 2).trim() : undefined;
};

const rowsOf = (map: YAMLMap, above: readonly string[], inherited?: string | null): readonly ValueRow[] =>
  map.items.flatMap((pair: Pair, index) => {
    const { key, value } = pair;
    if (!isScalar(key)) return [];
    const path = [...above, String(key.value)];
    const comment = key.commentBefore ?? (index === 0 ? (inherited ?? map.commentBefore) : undefined);
    const help = helpOf(comment);
    if (help !== undefined)
      return [{ key: path.join("."), help, value: isMap(value) ? value.toJSON() : unwrapped(value) }];
    return isMap(value) ? rowsOf(value, path) : [{ key: path.join("."), help: "", value: unwrapped(value) }];
  });

const unwrapped = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value
    ? (value as { toJSON(): unknown }).toJSON()
    : value;

/** All values of the chart in the order of the file. */
export const valueRows = (valuesText: string): readonly ValueRow[] => {
  const { contents, commentBefore } = parseDocument(valuesText);
  return isMap(contents) ? rowsOf(contents, [], commentBefore) : [];
};

const cell = (text: string): string => text.replaceAll("|", "\\|");

const LONGEST_DEFAULT = 80;

const defaultCell = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > LONGEST_DEFAULT ? "see `values.yaml`" : `\`${cell(text)}\``;
};

const row = ({ key, value, help }: ValueRow): string =>
  `| \`${key}\` | ${defaultCell(value)} | ${cell(help)} |`;

export const chartReadme = (valuesText: string): string =>
  [
    "# The Helm chart stationgate",
    "",
    "The chart runs Stationgate on Kubernetes 1.27 or newer. [docs/guides/kubernetes.md](../../docs/guides/kubernetes.md) is the guide. [ci](ci) has",
    "complete sets of values, which CI checks.",
    "",
    "```sh cluster",
    "helm install events helm/stationgate -n events --create-namespace -f my-values.yaml",
    "helm test events -n events",
    "```",
    "",
    "## Values",
    "",
    "`npm run print` prints this table from `values.yaml`. `values.schema.json` refuses other values.",
    "",
    "| value | default | meaning |",
    "| --- | --- | --- |",
    ...valueRows(valuesText).map(row),
    "",
  ].join("\n");

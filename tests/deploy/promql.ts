/** The metrics and labels of a PromQL expression, parsed with Prometheus' own grammar. */
import { parser } from "@prometheus-io/lezer-promql";

interface NamedMetric {
  readonly metric: string;
  /** Labels in its matchers. */
  readonly labels: readonly string[];
}

interface Expression {
  readonly metrics: readonly NamedMetric[];
  /** Labels in its grouping. */
  readonly grouping: readonly string[];
}

/** Grafana's variables, which replace durations in PromQL. */
const withoutVariables = (text: string): string => text.replaceAll("$__rate_interval", "5m");

/** Throws if the text is not PromQL. */
export const readPromql = (text: string): Expression => {
  const source = withoutVariables(text);
  const metrics: { metric: string; labels: string[] }[] = [];
  const grouping: string[] = [];
  let inGrouping = false;
  parser.parse(source).iterate({
    enter: (node) => {
      const words = source.slice(node.from, node.to);
      if (node.type.isError) throw new SyntaxError(`no PromQL at ${node.from}: ${text}`);
      if (node.name === "VectorSelector")
        metrics.push({ metric: /^[\w:]+/.exec(words)?.[0] ?? "", labels: [] });
      if (node.name === "GroupingLabels") inGrouping = true;
      if (node.name !== "LabelName") return;
      if (inGrouping) grouping.push(words);
      else metrics.at(-1)?.labels.push(words);
    },
    leave: (node) => {
      if (node.name === "GroupingLabels") inGrouping = false;
    },
  });
  return { metrics, grouping };
};

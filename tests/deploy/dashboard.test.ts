/** The dashboard and the alert rules only use metrics and labels that a running gateway has. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { admin, createConnector, deliverySettings, produceBatch } from "../support/connector-api.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { readPromql } from "./promql.ts";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const dashboard = JSON.parse(readFileSync("deploy/grafana/dashboard.json", "utf8")) as {
  readonly panels: readonly Panel[];
};
const graphs = dashboard.panels.filter(({ type }) => type !== "row");
const rules = (
  parse(readFileSync("deploy/alerts.yml", "utf8")) as { groups: readonly { rules: readonly Rule[] }[] }
).groups.flatMap((group) => group.rules);

const expressions = [
  ...graphs.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
];

/** Prometheus itself adds `up` and these labels. */
const OF_PROMETHEUS = new Set(["up", "instance", "job"]);

/** Each metric of the gateway with the labels of its samples. */
const announced = (text: string): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>();
  for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)/gm)) {
    const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    for (const suffix of suffixes) found.set(`${name}${suffix}`, new Set());
  }
  for (const [, name = "", labels = ""] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm))
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) found.get(name)?.add(label);
  return found;
};

describe("dashboard and alerts", () => {
  let gateway: Gateway;
  let sink: HttpSink;
  let identityProvider: HttpSink;
  let text: string;
  let metrics: ReadonlyMap<string, ReadonlySet<string>>;

  beforeAll(async () => {
    sink = await startHttpSink();
    identityProvider = await startHttpSink();
    identityProvider.answer(() => ({ body: '{"keys":[]}' }));
    const issuer = {
      name: "corp",
      issuer: "https://id.example",
      audience: "a",
      jwksUri: identityProvider.url,
    };
    gateway = await startGateway({
      env: { STATIONGATE_AUTH_ISSUERS: JSON.stringify([issuer]) },
      settings: {
        ...deliverySettings("watched", 1),
        // It is never asked: the events have no schema id.
        registry: { url: "http://127.0.0.1:1" },
        webhooks: [{ source: "shop", station: "watched", scheme: "github", secrets: ["shop-secret"] }],
      },
    });
    await createConnector(gateway, "out", { sink, topic: "watched", filter: "true" });
    await createConnector(gateway, "dropping", {
      sink: { ...sink, url: `${sink.url}/never` },
      topic: "watched",
      decode: "json",
      "decode.failure": "send",
      "exception.strategy": "DROP_MESSAGE",
      "dead.letter.topic": "given-up",
    });
    sink.answer(({ url }) => ({ status: 200, body: JSON.stringify({ retry: url === "/never" }) }));
    await produceBatch(gateway, "watched", [{ key: "a" }]);
    await fetch(`${gateway.url}/stations/watched/produce/single`, { method: "POST" });
    await fetch(`${gateway.url}/webhooks/shop`, { method: "POST", body: "{}" });
    await sink.received(2);
    do {
      text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    } while (
      !/^stationgate_delivery_dead_lettered_total\{.*\} 1$/m.test(text) ||
      !text.includes("stationgate_issuer_keys_age_seconds{")
    );
    metrics = announced(text);
  }, 60_000);

  afterAll(async () => {
    await admin(gateway, "DELETE", "/connectors/out");
    await gateway[Symbol.asyncDispose]();
    await sink.close();
    await identityProvider.close();
  });

  it.each(expressions)("%s: %s", (_where, expr) => {
    const { metrics: named, grouping } = readPromql(expr);
    expect(named).not.toEqual([]);
    const known = new Set(named.flatMap(({ metric }) => [...(metrics.get(metric) ?? [])]));
    const unknown = [
      ...named.map(({ metric }) => metric).filter((metric) => !metrics.has(metric)),
      ...[...named.flatMap(({ labels }) => labels), ...grouping].filter((label) => !known.has(label)),
    ];
    expect(unknown.filter((name) => !OF_PROMETHEUS.has(name))).toEqual([]);
  });

  it("show every metric of the gateway", () => {
    const shown = expressions.flatMap(([, expr]) => readPromql(expr).metrics.map(({ metric }) => metric));
    const bare = new Set(shown.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    const own = [...text.matchAll(/^# TYPE (stationgate_\S+)/gm)].map(([, name = ""]) => name);
    expect(own.filter((name) => !bare.has(name))).toEqual([]);
  });

  it("names metrics by Prometheus' conventions, each with a help text", () => {
    const own = [...text.matchAll(/^# TYPE (stationgate_\S+) (\S+)/gm)];
    const faults = own.filter(([, name = "", type]) => (type === "counter") !== name.endsWith("_total"));
    expect(faults.map(([line]) => line)).toEqual([]);
    expect([...text.matchAll(/^# HELP (stationgate_\S+) (.{10,}\.)$/gm)]).toHaveLength(own.length);
  });

  it("has a description of each alert", () => {
    expect(rules.filter(({ labels, annotations }) => !labels["severity"] || !annotations["summary"])).toEqual(
      [],
    );
  });
});

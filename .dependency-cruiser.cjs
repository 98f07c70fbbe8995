/** The layers of the code: a folder imports only lower layers. */
const layers = [
  ["lib"],
  ["errors"],
  ["observability"],
  ["config", "broker", "auth", "formats", "registry"],
  ["home", "spool"],
  ["once"],
  ["ingest", "consume", "delivery"],
  ["http"],
  ["app"],
  ["cluster"],
  ["main"],
  ["cli"],
];
const at = (names) => `^src/(${names.join("|")})(/|\\.ts$)`;
const only = (pkg, home) => ({
  name: `only-${home.replace(/[^a-z]+/gi, "-")}-knows-${pkg}`,
  severity: "error",
  from: { path: "^src", pathNot: home },
  to: { path: `node_modules/(@types/)?${pkg}(/|$)` },
});
module.exports = {
  forbidden: [
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphans", severity: "error", from: { orphan: true, pathNot: "\\.d\\.ts$" }, to: {} },
    ...layers.slice(0, -1).map((names, i) => ({
      name: `${names.join("-")}-does-not-look-up`,
      severity: "error",
      from: { path: at(names) },
      to: { path: at(layers.slice(i + 1).flat()) },
    })),
    ...["ingest", "consume", "delivery"].map((side, _, sides) => ({
      name: `${side}-meets-the-other-sides-only-through-the-broker`,
      severity: "error",
      from: { path: at([side]) },
      to: { path: at(sides.filter((other) => other !== side)) },
    })),
    {
      name: "the-engine-does-not-know-its-users",
      severity: "error",
      from: { path: "^src/delivery/engine/" },
      to: { path: "^src/delivery/(?!engine/)" },
    },
    {
      name: "the-users-of-the-engine-are-strangers",
      severity: "error",
      from: { path: "^src/delivery/(connectors|event-service)/" },
      to: { path: "^src/delivery/(connectors|event-service)/", pathNot: "^src/delivery/$1/" },
    },
    {
      name: "adapters-are-named-only-in-app",
      severity: "error",
      from: { path: "^src", pathNot: "^src/(app(/|\\.ts$)|broker/)" },
      to: { path: "^src/broker/[^/]+/" },
    },
    {
      name: "adapters-are-strangers",
      severity: "error",
      from: { path: "^src/broker/([^/]+)/" },
      to: { path: "^src/broker/[^/]+/", pathNot: "^src/broker/($1|local)/" },
    },
    {
      name: "settings-are-handed-down-by-app",
      severity: "error",
      from: { path: "^src", pathNot: "^src/(app(/|\\.ts$)|cluster/|main(/|\\.ts$)|cli/|config/)" },
      to: { path: "^src/config/" },
    },
    only("express", "^src/http/"),
    only("kafkajs", "^src/broker/kafka/"),
    only("@platformatic/kafka", "^src/broker/kafka/client-library\\.ts$"),
    only("re2js", "^src/delivery/(connectors/confluent|expressions)/"),
    only("protobufjs", "^src/formats/"),
    only("prom-client", "^src/observability/"),
    only("jsonwebtoken", "^src/auth/"),
    only("commander", "^src/cli/"),
    only("cli-progress", "^src/cli/"),
    only("@marcbachmann/cel-js", "^src/delivery/expressions/filter/"),
    only("jsonata", "^src/delivery/expressions/transform/"),
    {
      name: "src-does-not-know-its-tests",
      severity: "error",
      from: { path: "^src" },
      to: { path: "^(tests|bench)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
    },
  },
};

/** compose.yaml is valid by the schema of the Compose project, and its services match each other. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { parse } from "yaml";
import { loadSettings } from "../../src/config/load.ts";
import { checkSettings } from "../../src/main/check.ts";

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(readFileSync("compose.yaml", "utf8"), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const gateways = services.filter(([name]) => name.startsWith("gateway-"));

const mountsOf = ({ volumes = [] }: Service): readonly { source: string; target: string }[] =>
  volumes.map((volume) => {
    const [source = "", target = ""] = volume.split(":");
    return { source, target };
  });

describe("compose.yaml", () => {
  it("follows the Compose specification", () => {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv);
    const validate = ajv.compile(
      JSON.parse(readFileSync("tests/deploy/compose-spec.json", "utf8")) as object,
    );
    expect([validate(compose), validate.errors]).toEqual([true, null]);
  });

  it("has Kafka, two gateways behind nginx, Prometheus and Grafana", () => {
    expect(Object.keys(compose.services)).toEqual([
      "kafka",
      "gateway-1",
      "gateway-2",
      "nginx",
      "prometheus",
      "grafana",
    ]);
    expect(compose.services["nginx"]?.ports).toEqual(["4444:4444"]);
  });

  it("pins every image", () => {
    expect(services.filter(([, { image }]) => !/:\S*\d/.test(image) || image.endsWith(":latest"))).toEqual(
      [],
    );
  });

  it("mounts only files and volumes that exist", () => {
    const sources = services.flatMap(([, service]) => mountsOf(service).map(({ source }) => source));
    const missing = sources.filter((source) =>
      source.startsWith("./") ? !existsSync(path.resolve(source)) : !(source in compose.volumes),
    );
    expect(missing).toEqual([]);
  });

  it("waits only for services that can be healthy", () => {
    const awaited = services.flatMap(([, { depends_on = {} }]) =>
      Array.isArray(depends_on)
        ? []
        : Object.entries(depends_on).flatMap(([name, { condition }]) =>
            condition === "service_healthy" ? [name] : [],
          ),
    );
    expect(awaited.filter((name) => compose.services[name]?.healthcheck === undefined)).toEqual([]);
  });

  it.each(gateways)(
    "%s starts with valid settings, and stops within its grace period",
    async (_name, service) => {
      const env = Object.fromEntries(
        Object.entries(service.environment ?? {}).map(([name, value]) => [
          name,
          value.replace(/\$\{(\w+):[^}]*\}/g, "$1-0123456789-0123456789-0123456789"),
        ]),
      );
      const source = { configFile: "deploy/stationgate.yaml", env, cwd: process.cwd() };
      expect(await checkSettings(source)).toEqual({ faults: [], warnings: [] });
      const loaded = loadSettings(source);
      const grace = loaded.status === "loaded" ? loaded.settings.server.shutdownGrace / 1000 : Infinity;
      expect(Number.parseInt(service.stop_grace_period ?? "0", 10)).toBeGreaterThan(grace);
    },
  );

  it("has every gateway in the configurations of nginx and Prometheus", () => {
    const nginx = readFileSync("deploy/nginx.conf", "utf8");
    const prometheus = readFileSync("deploy/prometheus.yml", "utf8");
    expect([...nginx.matchAll(/server (\S+):4444 max_fails/g)].map(([, name]) => name)).toEqual(
      gateways.map(([name]) => name),
    );
    expect([...prometheus.matchAll(/"([\w-]+):4445"/g)].map(([, name]) => name)).toEqual(
      gateways.map(([name]) => name),
    );
  });
});

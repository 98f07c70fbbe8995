/** Which changes of the values replace the pods, and what the pods and their neighbours have with TLS. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);
const CHART = "helm/stationgate";
const HELM_TIMEOUT = 120_000;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>> & { readonly template: object };
}

describeWithTools("running pods, by Helm", ["helm"], () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "stationgate-pods-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const render = async (values: object, set = "production"): Promise<readonly Manifest[]> => {
    const file = path.join(directory, `${randomUUID()}.json`);
    await writeFile(file, JSON.stringify(values));
    const given = ["-f", `${CHART}/ci/${set}-values.yaml`, "-f", file];
    const { stdout } = await run("helm", ["template", "release", CHART, "-n", "events", ...given]);
    return parseAllDocuments(stdout).flatMap((document) => {
      const manifest = document.toJSON() as Manifest | null;
      return manifest === null ? [] : [manifest];
    });
  };

  const ofKind = (manifests: readonly Manifest[], kind: string): Manifest => {
    const found = manifests.find((manifest) => manifest.kind === kind);
    if (found === undefined) throw new Error(`there is no ${kind}`);
    return found;
  };

  const podsOf = async (values: object, set?: string, kind = "Deployment"): Promise<string> =>
    JSON.stringify(ofKind(await render(values, set), kind).spec.template);

  const account = { username: "another", password: "a-password-0123456789", stations: ["orders"] };
  const station = { name: "payments", topic: "shop.payments" };

  it(
    "settings, files and secrets that a reload applies do not replace the pods",
    async () => {
      const before = await podsOf({});
      const changes = [
        { config: { auth: { accounts: [account] } } },
        { config: { stations: [station] }, files: { "payment.json": "{}" } },
        { config: { log: { level: "debug" }, delivery: { allowTargets: ["10.0.0.0/8"] } } },
        { config: { admin: { failuresPerMinute: 3 }, reload: { debounce: "1s" } } },
        { secrets: { values: { "partner-key": "changed" } } },
        { files: { "order.json": "{}" } },
      ];
      for (const change of changes) expect([change, await podsOf(change)]).toEqual([change, before]);
    },
    HELM_TIMEOUT,
  );

  it(
    "settings that need a restart, and the secrets and files that they name, replace the pods",
    async () => {
      const sasl = { mechanism: "plain", username: "u" };
      const kafka = { sasl: { ...sasl, passwordFile: "/etc/stationgate/secrets/kafka-password" } };
      const withKafka = (password: string, ca: string): object => ({
        config: { broker: { kafka: { ...kafka, ssl: { ca: "kafka-ca.pem" } } } },
        secrets: { values: { "kafka-password": password } },
        files: { "kafka-ca.pem": ca },
      });
      const variants = await Promise.all(
        [
          {},
          { config: { server: { workers: 1 } } },
          { config: { tracing: { sampleRatio: 0.5 } } },
          withKafka("one", "ca"),
          withKafka("two", "ca"),
          withKafka("two", "another ca"),
          { tls: { public: { existingSecret: "events-tls" } } },
        ].map(async (values) => podsOf(values)),
      );
      expect(new Set(variants).size).toBe(variants.length);
    },
    HELM_TIMEOUT,
  );

  it(
    "every change replaces the pods if they do not watch their files",
    async () => {
      const unwatched = { config: { reload: { watch: false } } };
      const changed = { config: { ...unwatched.config, auth: { accounts: [account] } } };
      expect(await podsOf(changed)).not.toBe(await podsOf(unwatched));
    },
    HELM_TIMEOUT,
  );

  it(
    "mounts whole folders, so that the gateway sees changes",
    async () => {
      const template = await podsOf({}, "tls");
      expect(template).not.toContain("subPath");
      for (const folder of ["config", "secrets", "tls/public", "tls/admin"])
        expect(template).toContain(`"mountPath":"/etc/stationgate/${folder}"`);
      // A list of items would make each further file a change of the pods.
      expect(template).not.toContain('"items"');
    },
    HELM_TIMEOUT,
  );

  it(
    "names the files of the certificates in the settings, and keeps the CA that the values name",
    async () => {
      const { data } = ofKind(await render({}, "tls"), "ConfigMap");
      expect(parse(data["stationgate.yaml"] ?? "")).toMatchObject({
        server: {
          tls: {
            cert: "/etc/stationgate/tls/public/tls.crt",
            key: "/etc/stationgate/tls/public/tls.key",
            ca: "/etc/stationgate/secrets/clients-ca.crt",
          },
        },
        admin: { tls: { ca: "/etc/stationgate/tls/admin/ca.crt", minVersion: "TLSv1.3" } },
      });
    },
    HELM_TIMEOUT,
  );

  it.each([
    ["minimal", "HTTP", "http", "http"],
    ["tls", "HTTPS", "https", "https"],
  ])(
    "%s: probes use %s, the Service has the port %s, and the admin Services speak %s",
    async (set, probes, port, admin) => {
      const manifests = await render({}, set);
      const template = JSON.stringify(ofKind(manifests, "Deployment").spec.template);
      expect([...template.matchAll(/"scheme":"(\w+)"/g)].map(([, scheme]) => scheme)).toEqual([
        probes,
        probes,
        probes,
      ]);
      const ports = manifests.filter(({ kind }) => kind === "Service").map(({ spec }) => spec["ports"]);
      expect(ports[0]).toMatchObject([{ name: port, appProtocol: port }]);
      for (const given of ports.slice(1))
        expect(given).toMatchObject([{ name: "admin", appProtocol: admin }]);
    },
    HELM_TIMEOUT,
  );

  it(
    "waits for the spool over TLS, and a changed spool replaces the pods",
    async () => {
      const spool = { config: { spool: { for: ["beacon"] } }, spool: { enabled: true } };
      const pods = await podsOf(spool, "tls", "StatefulSet");
      expect(pods).toContain(
        "sleep 5; NODE_TLS_REJECT_UNAUTHORIZED=0 node dist/cli/main.js spool wait --url https://127.0.0.1:4444",
      );
      const changed = { ...spool, config: { spool: { for: ["beacon"], after: "2s" } } };
      expect(await podsOf(changed, "tls", "StatefulSet")).not.toBe(pods);
    },
    HELM_TIMEOUT,
  );

  it(
    "Prometheus, the Ingress and helm test use TLS",
    async () => {
      const manifests = await render({}, "tls");
      expect(ofKind(manifests, "ServiceMonitor").spec["endpoints"]).toMatchObject([
        {
          scheme: "https",
          tlsConfig: {
            ca: { secret: { name: "events-admin-tls", key: "ca.crt" } },
            serverName: "release-stationgate-admin.events.svc",
          },
        },
      ]);
      expect(JSON.stringify(ofKind(manifests, "Ingress").spec)).toContain('"port":{"name":"https"}');
      expect(JSON.stringify(ofKind(manifests, "Pod").spec)).toContain(
        "https://release-stationgate:4444/readyz",
      );

      const own = { insecureSkipVerify: true };
      const changed = await render({ serviceMonitor: { tlsConfig: own } }, "tls");
      expect(ofKind(changed, "ServiceMonitor").spec["endpoints"]).toMatchObject([{ tlsConfig: own }]);
    },
    HELM_TIMEOUT,
  );
});

/** The rendered chart is valid for Kubernetes and hardened, and the program accepts its settings file. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { checkSettings } from "../../src/main/check.ts";
import { createAuthority, type Authority } from "../support/authority.ts";
import { readPage } from "../support/pages/blocks.ts";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);
const CHART = "helm/stationgate";
const SETS = [
  "minimal",
  "production",
  "kafka-tls",
  "gateway-api",
  "embedded",
  "tls",
  "identity",
  "spool",
] as const;
const HELM_TIMEOUT = 60_000;
const YEAR = 365 * 86_400_000;

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly readinessProbe: { readonly httpGet: object };
  readonly livenessProbe: { readonly httpGet: object };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly selector: Readonly<Record<string, string>>;
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: Readonly<Record<string, unknown>> & {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [Container];
      };
    };
  };
}

const render = (set: string): Promise<readonly Manifest[]> => renderFile(`${CHART}/ci/${set}-values.yaml`);

const renderFile = async (file: string): Promise<readonly Manifest[]> => {
  const { stdout } = await run("helm", ["template", "release", CHART, "-n", "events", "-f", file]);
  return parseAllDocuments(stdout)
    .map((document) => document.toJSON() as Manifest | null)
    .filter((manifest) => manifest !== null);
};

/** Writes a file for each path below `/etc/stationgate` in this text, and returns the text with the new paths. */
const writeNamedFiles = async (text: string, folder: string, authority: Authority): Promise<string> => {
  // A certificate that expires soon makes a warning.
  const identity = await authority.server({ until: YEAR });
  const pems: Readonly<Record<string, string>> = {
    "tls.crt": identity.cert,
    "tls.key": identity.key,
    "ca.crt": authority.cert,
    "clients-ca.crt": authority.cert,
    "id-ca.crt": authority.cert,
  };
  for (const [, named = ""] of text.matchAll(/\/etc\/stationgate\/([\w./-]+)/g)) {
    const file = path.join(folder, named);
    const name = path.basename(file);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, pems[name] ?? `${name}-0123456789-0123456789-0123456789`);
  }
  return text.replaceAll("/etc/stationgate", folder);
};

/** Loads and checks the settings file of the ConfigMap, as `--check-config` does. */
const checkChart = async (manifests: readonly Manifest[]) => {
  const folder = await mkdtemp(path.join(tmpdir(), "stationgate-chart-"));
  const files = ofKind(manifests, "ConfigMap")[0]?.data ?? {};
  await using authority = await createAuthority();
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(folder, name), await writeNamedFiles(text, folder, authority));
  const configFile = path.join(folder, "stationgate.yaml");
  const checked = await checkSettings({ configFile, env: {}, cwd: folder });
  await rm(folder, { recursive: true });
  return checked;
};

/** The sets of values that the guide shows. */
const { fences } = await readPage("docs/guides/kubernetes.md");
const shown = fences.filter(({ word }) => word.endsWith("-values.yaml"));

const ofKind = (manifests: readonly Manifest[], kind: string): readonly Manifest[] =>
  manifests.filter((manifest) => manifest.kind === kind);

const workloadsOf = (manifests: readonly Manifest[]): readonly Manifest[] => [
  ...ofKind(manifests, "Deployment"),
  ...ofKind(manifests, "StatefulSet"),
];

/** The seconds of `5`, or of `sleep 5; … --timeout 120s`. */
const secondsIn = (command: string): number =>
  [...command.matchAll(/(?:^|sleep |--timeout )(\d+)/g)].reduce(
    (sum, [, seconds]) => sum + Number(seconds),
    0,
  );

const selects = (
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value);

describeWithTools("the chart, by Helm", ["helm"], () => {
  it.each(SETS)(
    "%s: lints",
    async (set) => {
      await run("helm", ["lint", "--strict", CHART, "-f", `${CHART}/ci/${set}-values.yaml`]);
    },
    HELM_TIMEOUT,
  );

  it.each(SETS)(
    "%s: pods are hardened and have time to drain",
    async (set) => {
      for (const { spec } of workloadsOf(await render(set))) {
        const pod = spec.template.spec;
        const [container] = pod.containers;
        expect(pod).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        });
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.readinessProbe.httpGet).toMatchObject({ path: "/readyz" });
        expect(container.livenessProbe.httpGet).toMatchObject({ path: "/healthz" });
        const waits = secondsIn(container.lifecycle.preStop.exec.command.at(-1) ?? "");
        const grace = Number(/shutdownGrace: (\d+)s/.exec(await configOf(set))?.[1]);
        expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(waits + grace);
      }
    },
    HELM_TIMEOUT,
  );

  it.each(SETS)(
    "%s: every Service and PodDisruptionBudget selects pods",
    async (set) => {
      const manifests = await render(set);
      const pods = workloadsOf(manifests).map(({ spec }) => spec.template.metadata.labels);
      const led = ofKind(manifests, "Service").map(
        ({ spec }) => pods.filter((labels) => selects(spec.selector, labels)).length,
      );
      expect(new Set(led)).toEqual(new Set([1]));
    },
    HELM_TIMEOUT,
  );

  it.each(SETS)(
    "%s: the program accepts the settings file",
    async (set) => {
      expect(await checkChart(await render(set))).toEqual({ warnings: [], faults: [] });
    },
    HELM_TIMEOUT,
  );

  it.each(shown)(
    "the guide's $word: the program accepts the settings file",
    async ({ text, word }) => {
      const folder = await mkdtemp(path.join(tmpdir(), "stationgate-guide-"));
      await writeFile(path.join(folder, word), text);
      const manifests = await renderFile(path.join(folder, word));
      await rm(folder, { recursive: true });
      expect(await checkChart(manifests)).toEqual({ warnings: [], faults: [] });
    },
    HELM_TIMEOUT,
  );

  it(
    "gives each Deployment its role",
    async () => {
      const rolesOf = async (set: string): Promise<readonly unknown[]> =>
        ofKind(await render(set), "Deployment").map(({ metadata, spec }) => [
          metadata.name,
          spec.template.spec.containers[0].env.find(({ name }) => name === "STATIONGATE_ROLES")?.value,
        ]);
      expect(await rolesOf("minimal")).toEqual([["release-stationgate", '["ingest","delivery"]']]);
      expect(await rolesOf("production")).toEqual([
        ["release-stationgate", '["ingest"]'],
        ["release-stationgate-delivery", '["delivery"]'],
      ]);
    },
    HELM_TIMEOUT,
  );

  it(
    "with the spool: makes a StatefulSet with a volume for each pod, which waits for the spool before it ends",
    async () => {
      const manifests = await render("spool");
      expect(workloadsOf(manifests).map(({ kind }) => kind)).toEqual(["StatefulSet"]);
      const [set] = ofKind(manifests, "StatefulSet");
      expect(set?.spec).toMatchObject({
        serviceName: "release-stationgate-pods",
        volumeClaimTemplates: [
          {
            metadata: { name: "spool" },
            spec: { storageClassName: "fast", resources: { requests: { storage: "10Gi" } } },
          },
        ],
      });
      const container = set?.spec.template.spec.containers[0];
      expect(container?.volumeMounts).toContainEqual({ name: "spool", mountPath: "/spool" });
      expect(await configOf("spool")).toContain("spool:\n  dir: /spool\n");
      const command = container?.lifecycle.preStop.exec.command;
      expect(command?.slice(0, 2)).toEqual(["sh", "-c"]);
      expect(command?.[2]).toBe(
        "sleep 5; node dist/cli/main.js spool wait --url http://127.0.0.1:4444 --timeout 300s",
      );
      const services = ofKind(manifests, "Service").map(({ metadata, spec }) => [
        metadata.name,
        (spec as { readonly clusterIP?: string }).clusterIP,
      ]);
      expect(services).toContainEqual(["release-stationgate-pods", "None"]);
      const [scaler] = ofKind(manifests, "HorizontalPodAutoscaler");
      expect(scaler?.spec).toMatchObject({
        scaleTargetRef: { kind: "StatefulSet", name: "release-stationgate" },
      });
    },
    HELM_TIMEOUT,
  );

  it(
    "gives each pod its own address, and the peer port to gateways alone",
    async () => {
      const manifests = await render("production");
      const [gateway] = ofKind(manifests, "Deployment");
      const container = gateway?.spec.template.spec.containers[0];
      expect(container?.env).toEqual(
        expect.arrayContaining([
          { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          { name: "STATIONGATE_READING_PEER_HOST", value: "$(POD_IP)" },
        ]),
      );
      expect(container?.ports).toContainEqual({ name: "peer", containerPort: 4446, protocol: "TCP" });
      expect(await configOf("production")).toContain("peer:\n    port: 4446");
      const isGateway = { "app.kubernetes.io/component": "gateway" };
      const rule = (side: "from" | "to") => ({
        // Two workers.
        ports: [{ port: 4446, endPort: 4447, protocol: "TCP" }],
        [side]: [{ podSelector: { matchLabels: expect.objectContaining(isGateway) as unknown } }],
      });
      const [policy] = ofKind(manifests, "NetworkPolicy");
      expect(policy?.spec).toMatchObject({
        ingress: expect.arrayContaining([rule("from")]) as unknown,
        egress: expect.arrayContaining([rule("to")]) as unknown,
      });
      const services = ofKind(manifests, "Service").map(({ spec }) => JSON.stringify(spec));
      expect(services.filter((spec) => spec.includes("peer"))).toEqual([]);
    },
    HELM_TIMEOUT,
  );

  it(
    "creates the objects for production only if they are configured",
    async () => {
      const kinds = async (set: string): Promise<ReadonlySet<string>> =>
        new Set((await render(set)).map(({ kind }) => kind));
      const optional = ["HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "ServiceMonitor"];
      const [minimal, production] = [await kinds("minimal"), await kinds("production")];
      expect(optional.filter((kind) => !production.has(kind))).toEqual([]);
      expect([...optional, "HTTPRoute", "PersistentVolumeClaim"].filter((kind) => minimal.has(kind))).toEqual(
        [],
      );
      expect(await kinds("gateway-api")).toContain("HTTPRoute");
      expect(await kinds("embedded")).toContain("PersistentVolumeClaim");
    },
    HELM_TIMEOUT,
  );

  it(
    "creates no Secret if an existing Secret is configured",
    async () => {
      expect(ofKind(await render("kafka-tls"), "Secret")).toEqual([]);
      expect(ofKind(await render("minimal"), "Secret")[0]?.data).toHaveProperty("root-connection-token");
    },
    HELM_TIMEOUT,
  );

  it("has a fixed count of sets", async () => {
    const files = await readdir(`${CHART}/ci`);
    expect(files.sort()).toEqual(SETS.map((set) => `${set}-values.yaml`).sort());
  });
});

const configOf = async (set: string): Promise<string> =>
  ofKind(await render(set), "ConfigMap")[0]?.data?.["stationgate.yaml"] ?? "";

describeWithTools("the chart, by Kubernetes' own schemas", ["helm", "kubernetes-validate"], () => {
  it.each(SETS)(
    "%s is valid",
    async (set) => {
      const folder = await mkdtemp(path.join(tmpdir(), "stationgate-chart-"));
      const file = path.join(folder, `${set}.yaml`);
      const values = ["-f", `${CHART}/ci/${set}-values.yaml`];
      const { stdout } = await run("helm", ["template", "release", CHART, "-n", "events", ...values]);
      await writeFile(file, stdout);
      await run("kubernetes-validate", ["--strict", "--quiet", file]);
      await rm(folder, { recursive: true });
    },
    HELM_TIMEOUT,
  );
});

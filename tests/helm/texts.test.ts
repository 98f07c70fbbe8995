/** Texts and names in the user's values reach the cluster unchanged, also those that YAML reads as another type. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);
const CHART = "helm/stationgate";
const HELM_TIMEOUT = 60_000;

type Texts = Readonly<Record<string, string>>;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly annotations?: Texts };
  readonly data: Texts;
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly annotations: Texts };
      readonly spec: {
        readonly containers: readonly { readonly env: readonly object[] }[];
        readonly volumes: readonly {
          readonly configMap?: { readonly items: readonly { readonly key: string; readonly path: string }[] };
        }[];
      };
    };
  };
}

const TEXTS: Texts = {
  "indented.proto": "  the first line is indented\nthe second is not\n",
  true: "yes\n",
  "1": "no",
  "2.50": "1e3",
  null: "",
  "~": "~",
  "- a": "--- {{ no template }} <&> \u0007 \u{1f600}",
  "schemas/order.json": '{"type":"object"}',
  "früh ling ": "ends with spaces  \n\n\n",
  ".hidden": "a\r\nb\r\n\tc",
  "a: b #c": "# no comment\n",
};

describeWithTools("texts of the values, by Helm", ["helm"], () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "stationgate-texts-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const render = async (values: object): Promise<(kind: string) => Manifest> => {
    const file = path.join(directory, "values.json");
    await writeFile(file, JSON.stringify(values));
    const given = ["-f", `${CHART}/ci/minimal-values.yaml`, "-f", file];
    const { stdout } = await run("helm", ["template", "release", CHART, ...given]);
    const manifests = parseAllDocuments(stdout).map((document) => document.toJSON() as Manifest | null);
    return (kind) => {
      const found = manifests.find((manifest) => manifest?.kind === kind);
      if (found == null) throw new Error(`there is no ${kind}`);
      return found;
    };
  };

  it(
    "a file can have any name and any content",
    async () => {
      const of = await render({ files: TEXTS });
      const { data } = of("ConfigMap");
      const items = of("Deployment").spec.template.spec.volumes.flatMap(
        ({ configMap }) => configMap?.items ?? [],
      );
      const mounted = Object.fromEntries(items.map(({ key, path: name }) => [name, data[key]]));

      expect(mounted).toMatchObject(TEXTS);
      expect(Object.keys(mounted)).toHaveLength(Object.keys(TEXTS).length + 1);
      for (const key of Object.keys(data)) expect(key).toMatch(/^[-._a-zA-Z0-9]{1,253}$/);
    },
    HELM_TIMEOUT,
  );

  it(
    "a file can't replace the settings file",
    async () => {
      await expect(render({ files: { "stationgate.yaml": "" } })).rejects.toThrow(
        "write its content under config",
      );
    },
    HELM_TIMEOUT,
  );

  it(
    "annotations and secrets are texts",
    async () => {
      const of = await render({
        service: { annotations: TEXTS },
        serviceAccount: { annotations: TEXTS },
        gateway: { podAnnotations: TEXTS },
        secrets: { values: { true: "  indented\nsecret", "1": "1" } },
      });
      expect(of("Service").metadata.annotations).toEqual(TEXTS);
      expect(of("ServiceAccount").metadata.annotations).toEqual(TEXTS);
      expect(of("Deployment").spec.template.metadata.annotations).toMatchObject(TEXTS);
      const { data } = of("Secret");
      expect(Buffer.from(data["true"] ?? "", "base64").toString()).toBe("  indented\nsecret");
      expect(Buffer.from(data["1"] ?? "", "base64").toString()).toBe("1");
    },
    HELM_TIMEOUT,
  );

  it(
    "values of environment variables are texts, flags and numbers too",
    async () => {
      const named = { name: "NAMED", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
      const values = [true, 12345678, 1.5, "  indented\ntext", "1e3", ""];
      const extraEnv = [...values.map((value, index) => ({ name: `V${index}`, value })), named];
      const { env } =
        (await render({ gateway: { extraEnv } }))("Deployment").spec.template.spec.containers[0] ?? {};

      expect(env).toEqual(
        expect.arrayContaining([
          ...values.map((value, index) => ({ name: `V${index}`, value: String(value) })),
          named,
        ]),
      );
    },
    HELM_TIMEOUT,
  );
});

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseConnectorConfig } from "../../../src/delivery/connectors/connector-config.ts";
import { createReferences, type References } from "../../../src/delivery/connectors/references.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let root: string;
let references: References;

const VARIABLES: Readonly<Record<string, string>> = { TOKEN: "s3cr3t-token", HIDDEN: "h1dden" };

beforeAll(() => {
  root = temporaryDirectory("stationgate-references-");
  for (const name of ["files", "secrets", "secrets/sub", "outside"]) mkdirSync(path.join(root, name));
  const write = (name: string, content: string): void => {
    writeFileSync(path.join(root, name), content);
  };
  write("files/crm.properties", "token=from file\nurl=https://example.com/a");
  write("files/large.properties", "a=1\n".repeat(300_000));
  write("secrets/token", "from directory");
  write("secrets/sub/token", "from below");
  write("outside/token", "outside");
  symlinkSync("token", path.join(root, "secrets/inner"));
  symlinkSync("../outside/token", path.join(root, "secrets/outer"));
  symlinkSync("../outside", path.join(root, "files/out"));
  references = createReferences({
    providers: { env: ["TOKEN", "UNSET"], file: [`${root}/files`], directory: [`${root}/secrets/`] },
    environment: (name) => VARIABLES[name],
  });
});

const at = (text: string): string => text.replaceAll("ROOT", root);

const refusal = (value: string): string | undefined => references.refusals({ key: at(value) })[0]?.message;

const resolved = (value: string): string => {
  const result = references.resolve({ key: at(value) });
  return "config" in result ? (result.config["key"] ?? "") : (result.faults[0]?.message ?? "");
};

describe("a reference", () => {
  it.each([
    ["${env:TOKEN}", "s3cr3t-token"],
    ["Bearer ${env:TOKEN}, ${env:TOKEN}", "Bearer s3cr3t-token, s3cr3t-token"],
    ["${file:ROOT/files/crm.properties:token}", "from file"],
    ["${directory:ROOT/secrets:token}", "from directory"],
    ["${directory:ROOT/secrets/sub:token}", "from below"],
    ["${directory:ROOT/secrets:inner}", "from directory"],
    ["${key} and ${a.b}", "${key} and ${a.b}"],
  ])("%s is read", (value, expected) => {
    expect(refusal(value)).toBeUndefined();
    expect(resolved(value)).toBe(expected);
  });

  it.each([
    ["${env:HIDDEN}", "env"],
    ["${env:x:TOKEN}", "env"],
    ["${vault:secret:token}", "vault"],
    ["${file:token}", "file"],
    ["${file:files/crm.properties:token}", "file"],
    ["${file:ROOT/secrets/token:token}", "file"],
    ["${file:ROOT/files/../outside/token:token}", "file"],
    ["${file:ROOT/files-too/a:b}", "file"],
    ["${directory:ROOT/outside:token}", "directory"],
    ["${env:TOKEN} ${directory:ROOT:token}", "directory"],
  ])("%s is not allowed", (value, provider) => {
    expect(refusal(value)).toBe(
      `Invalid value ${at(value)} for configuration key: config provider ${provider} is not allowed`,
    );
  });

  it.each([
    ["${env:UNSET}", "the environment variable is not set"],
    ["${file:ROOT/files/none:token}", "ENOENT"],
    ["${file:ROOT/files/crm.properties:other}", "the file has no such key"],
    ["${file:ROOT/files/out/token:token}", "it leads out of the allowed directories"],
    ["${file:ROOT/files/large.properties:a}", "it has more than 1048576 bytes"],
    ["${file:ROOT/files:a}", "it is not a regular file"],
    ["${directory:ROOT/secrets:outer}", "it leads out of the allowed directories"],
    ["${directory:ROOT/secrets:../outside/token}", "it names no file of the directory"],
    ["${directory:ROOT/secrets:..}", "it names no file of the directory"],
  ])("%s can't be read", (value, reason) => {
    expect(refusal(value)).toBeUndefined();
    expect(resolved(value)).toBe(`The reference ${at(value)} of the key key can't be read: ${reason}`);
  });

  it("is not read from a value that another reference stands for", () => {
    const nested = createReferences({
      providers: { env: ["A", "B"], file: [], directory: [] },
      environment: (name) => (name === "A" ? "${env:B}" : "b"),
    });

    expect(nested.resolve({ key: "${env:A}" })).toMatchObject({ config: { key: "${env:B}" } });
  });

  it("is allowed as the newest list says", () => {
    const changing = createReferences({
      providers: { env: [], file: [], directory: [] },
      environment: () => "x",
    });
    const before = changing.refusals({ key: "${env:A}" });
    changing.allow({ env: ["A"], file: [], directory: [] });

    expect(before).toHaveLength(1);
    expect(changing.refusals({ key: "${env:A}" })).toHaveLength(0);
  });
});

describe("a configuration with references", () => {
  const parse = (config: Readonly<Record<string, string>>) =>
    parseConnectorConfig(
      "crm",
      {
        topics: "orders",
        "callback.request.url": "https://example.com",
        "callback.request.method": "POST",
        ...Object.fromEntries(Object.entries(config).map(([key, value]) => [key, at(value)])),
      },
      { references },
    );

  it("has the values in its model", () => {
    expect(
      parse({
        "callback.request.url": "${file:ROOT/files/crm.properties:url}",
        "callback.request.headers": "Authorization:Bearer ${env:TOKEN}",
      }),
    ).toMatchObject({
      model: {
        request: {
          url: new URL("https://example.com/a"),
          headers: [["Authorization", "Bearer s3cr3t-token"]],
        },
      },
    });
  });

  it("has faults that show the reference and never the value", () => {
    expect(parse({ concurrency: "${env:TOKEN}" })).toStrictEqual({
      faults: [
        {
          key: "concurrency",
          message:
            "Invalid value ${env:TOKEN} for configuration concurrency: the referenced value is not valid",
        },
      ],
    });
  });

  it("reports what is not allowed together with all other faults", () => {
    expect(parse({ concurrency: "0", secret: "${env:HIDDEN}" })).toStrictEqual({
      faults: [
        {
          key: "secret",
          message: "Invalid value ${env:HIDDEN} for configuration secret: config provider env is not allowed",
        },
        {
          key: "concurrency",
          message: "Invalid value 0 for configuration concurrency: Value must be at least 1",
        },
      ],
    });
  });

  it("that can't be read has only faults that stop the task", () => {
    expect(parse({ concurrency: "0", secret: "${env:UNSET}" })).toStrictEqual({
      faults: [
        {
          key: "secret",
          message:
            "The reference ${env:UNSET} of the key secret can't be read: the environment variable is not set",
          isUnread: true,
        },
      ],
    });
  });
});

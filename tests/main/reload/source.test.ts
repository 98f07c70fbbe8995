import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TlsFiles } from "../../../src/app/read-tls.ts";
import { faultsInUse } from "../../../src/app/settings-check.ts";
import { loadSettings } from "../../../src/config/load.ts";
import {
  createSource,
  type InUse,
  type Reading,
  type SourceOptions,
} from "../../../src/main/reload/source.ts";

let cwd = "";

beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), "stationgate-source-"));
});

afterEach(() => {
  rmSync(cwd, { recursive: true });
});

const write = (name: string, text: string): void => {
  writeFileSync(path.join(cwd, name), text);
};

/** Loads stationgate.yaml, as the start does, and returns what reads it again. */
const started = (options: Partial<SourceOptions> = {}) => {
  const source = { configFile: "stationgate.yaml", env: {}, cwd, ...options };
  const loaded = loadSettings(source);
  if (loaded.status === "refused") throw new TypeError(loaded.faults.join("\n"));
  const inUse: InUse = { settings: loaded.settings, compared: loaded.compared, tls: {} };
  const reading = createSource({
    faultsInUse: () => Promise.resolve([]),
    readCertificates: () => ({ files: {}, faults: [] }),
    ...source,
  });
  const read = (of: InUse, { dryRun } = { dryRun: false }) => reading(of, { dryRun });
  return { read, inUse };
};

const stationsOf = (more: string): string =>
  `stations:
  - { name: a, schema: { type: json-schema, file: a.json } }
  - { name: b, schema: { type: json-schema, file: b.json } }
${more}`;

it("finds no change where nothing has changed, and checks nothing", async () => {
  write("stationgate.yaml", "cors: { origins: ['https://a.example'] }");
  const { read, inUse } = started({ faultsInUse: () => Promise.reject(new TypeError("checked")) });

  expect(await read(inUse)).toMatchObject({ status: "read", changed: [], needsRestart: [] });
});

it("finds changes, and keeps what needs a restart", async () => {
  write("stationgate.yaml", "server: { port: 4000 }");
  const { read, inUse } = started();
  write("stationgate.yaml", "server: { port: 4001 }\nlog: { level: warn }");
  const found = await read(inUse);

  expect(found).toMatchObject({
    status: "read",
    changed: ["log.level"],
    needsRestart: ["server.port"],
    next: { settings: { server: { port: 4000 }, log: { level: "warn" } } },
  });
});

it("goes on naming what needs a restart after the rest is applied", async () => {
  write("stationgate.yaml", "server: { port: 4000 }");
  const { read, inUse } = started();
  write("stationgate.yaml", "server: { port: 4001 }\nlog: { level: warn }");
  const first = await read(inUse);
  const second = first.status === "read" ? await read(first.next) : first;

  expect(second).toMatchObject({ status: "read", changed: [], needsRestart: ["server.port"] });
});

it("lets the environment win, as the start does", async () => {
  write("stationgate.yaml", "log: { level: warn }");
  const { read, inUse } = started({ env: { STATIONGATE_LOG_LEVEL: "error" } });
  write("stationgate.yaml", "log: { level: debug }");

  expect(await read(inUse)).toMatchObject({ status: "read", changed: [] });
});

it("refuses faults with the lines of the start", async () => {
  write("stationgate.yaml", "");
  const { read, inUse } = started();
  write("stationgate.yaml", "server: { port: 99999 }\nadmn: 1");
  const expected = loadSettings({ configFile: "stationgate.yaml", env: {}, cwd });

  expect(await read(inUse)).toMatchObject({
    status: "refused",
    faults: (expected as { faults: readonly string[] }).faults,
  });
});

it("refuses a missing file, and one that is half written", async () => {
  write("stationgate.yaml", "");
  const { read, inUse } = started();
  write("stationgate.yaml", "auth:\n  apiKeys: [");

  expect(await read(inUse)).toMatchObject({
    status: "refused",
    faults: [expect.stringMatching(/is not YAML/)],
  });

  rmSync(path.join(cwd, "stationgate.yaml"));
  const found = await read(inUse);

  expect(found).toMatchObject({
    status: "refused",
    faults: [`"stationgate.yaml": cannot be read (ENOENT)`.replaceAll('"', "")],
  });
  expect([...found.files]).toEqual([[path.join(cwd, "stationgate.yaml"), undefined]]);
});

it("checks the schemas of changed stations only", async () => {
  const checked: string[][] = [];
  write("a.json", "{}");
  write("b.json", "{}");
  write("stationgate.yaml", stationsOf("log: { level: warn }"));
  const { read, inUse } = started({
    faultsInUse: ({ stations }, { changedStations }) => {
      expect(stations.map(({ name }) => name)).toEqual(["a", "b"]);
      checked.push([...changedStations]);
      return Promise.resolve([]);
    },
  });
  write("stationgate.yaml", stationsOf("log: { level: error }"));
  await read(inUse);
  write("b.json", '{"type":"object"}');
  await read(inUse);

  expect(checked).toEqual([[], ["b"]]);
});

describe("the topic of the audit", () => {
  const stations = "stations: [{ name: audit, topic: ops.audit }]\naudit: { station: audit }";
  const deadLettersIn = (topic: string): string =>
    `${stations}
connectors: [{ name: c, config: { topics: orders, callback.request.url: "https://a.example/", callback.request.method: POST, dead.letter.topic: ${topic} } }]`;

  it.each([
    ["ops.audit", "refused"],
    ["audit", "read"],
  ])("is that of its unchanged station: dead letters in %s", async (topic, status) => {
    write("stationgate.yaml", stations);
    const { read, inUse } = started({ faultsInUse });
    write("stationgate.yaml", deadLettersIn(topic));

    expect(await read(inUse)).toMatchObject({ status });
  });
});

it("refuses what the check finds", async () => {
  write("stationgate.yaml", "");
  const { read, inUse } = started({ faultsInUse: () => Promise.resolve(["auth.apiKeys.a: bad"]) });
  write("stationgate.yaml", "log: { level: warn }");

  expect(await read(inUse)).toMatchObject({ status: "refused", faults: ["auth.apiKeys.a: bad"] });
});

describe("the files of settings that need a restart", () => {
  const ssl = "broker: { type: kafka, kafka: { brokers: ['a:1'], ssl: { ca: ca.pem } } }";
  const ofSsl: SourceOptions["faultsInUse"] = ({ broker }) =>
    Promise.resolve(typeof broker.kafka.ssl === "object" ? ["broker.kafka.ssl: no certificate"] : []);

  beforeEach(() => {
    write("ca.pem", "old");
    write("stationgate.yaml", ssl);
  });

  it("refuse no other changes, also if they can't be read", async () => {
    const { read, inUse } = started({ faultsInUse: ofSsl });
    rmSync(path.join(cwd, "ca.pem"));
    write("stationgate.yaml", `${ssl}\nlog: { level: warn }`);

    expect(await read(inUse)).toMatchObject({
      ...{ status: "read", changed: ["log.level"], needsRestart: ["broker.kafka.ssl"] },
      keptFaults: [
        expect.stringMatching(/^broker.kafka.ssl.ca: got ".*ca.pem", which is not a readable file$/),
      ],
      next: { settings: { broker: { kafka: { ssl: { ca: path.join(cwd, "ca.pem") } } } } },
    });
  });

  it("refuse a dry run, because the next start would stop", async () => {
    const { read, inUse } = started({ faultsInUse: ofSsl });
    write("ca.pem", "new");
    expect(await read(inUse, { dryRun: true })).toMatchObject({
      ...{ status: "refused", faults: ["broker.kafka.ssl: no certificate"] },
    });

    rmSync(path.join(cwd, "ca.pem"));
    expect(await read(inUse, { dryRun: true })).toMatchObject({
      ...{ status: "read", keptFaults: [expect.stringContaining("is not a readable file")] },
    });
  });
});

describe("the secret files of settings that need a restart", () => {
  const kafka = (more: string): string => `broker: { type: kafka, kafka: { brokers: ['a:1'], ${more} } }\n`;
  const SASL = kafka("sasl: { mechanism: plain, username: u, passwordFile: p.txt }");
  const keptFaults = [
    expect.stringMatching(/^broker.kafka.sasl.password: got passwordFile "p.txt", which cannot be read/),
  ];

  beforeEach(() => {
    write("p.txt", "secret");
  });

  it("refuse no other changes if they are missing, and the secret stays", async () => {
    write("stationgate.yaml", SASL);
    const { read, inUse } = started();
    rmSync(path.join(cwd, "p.txt"));
    write("stationgate.yaml", `${SASL}log: { level: warn }`);

    expect(await read(inUse)).toMatchObject({
      ...{ status: "read", changed: ["log.level"], needsRestart: [], keptFaults },
      next: { settings: { broker: { kafka: { sasl: { password: "secret" } } } } },
    });
  });

  it("refuse no other changes if the setting is new", async () => {
    write("stationgate.yaml", kafka(""));
    const { read, inUse } = started();
    rmSync(path.join(cwd, "p.txt"));
    write("stationgate.yaml", `${SASL}log: { level: warn }`);

    expect(await read(inUse)).toMatchObject({ status: "read", changed: ["log.level"], keptFaults });
  });

  it("refuse other changes if the secret is reloaded", async () => {
    write("stationgate.yaml", "admin: { tokenFile: p.txt }");
    const { read, inUse } = started();
    rmSync(path.join(cwd, "p.txt"));

    expect(await read(inUse)).toMatchObject({
      ...{ status: "refused", faults: [expect.stringContaining('got tokenFile "p.txt"')] },
    });
  });
});

describe("the contents of named files", () => {
  const SCHEMA = "stations: [{ name: orders, schema: { type: json-schema, file: order.json } }]";

  it("count as a change of the setting that names the file", async () => {
    write("stationgate.yaml", SCHEMA);
    write("order.json", "{}");
    const { read, inUse } = started();
    write("order.json", '{"type":"object"}');

    expect(await read(inUse)).toMatchObject({ status: "read", changed: ["stations[orders].schema"] });
  });

  it("count in secret files", async () => {
    write("stationgate.yaml", "auth: { apiKeys: [{ id: a, keyFile: a.key }] }");
    write("a.key", "one");
    const { read, inUse } = started();
    write("a.key", "two\n");

    expect(await read(inUse)).toMatchObject({
      status: "read",
      changed: ["auth.apiKeys[a].key"],
      next: { settings: { auth: { apiKeys: [{ key: "two" }] } } },
    });
  });

  describe("that .proto files import", () => {
    const named = (found: Reading): readonly string[] =>
      [...found.files.keys()].map((file) => path.relative(cwd, file)).sort();

    beforeEach(() => {
      write(
        "stationgate.yaml",
        "stations: [{ name: t, schema: { type: protobuf, file: a.proto, message: A } }]",
      );
      write("a.proto", `syntax = "proto3"; import "b.proto"; import 'c.proto';\n`);
      write("b.proto", 'syntax = "proto3";\nimport public "a.proto";\n');
      write("c.proto", `syntax = "proto3"; import weak 'd.proto';`);
      write("d.proto", 'syntax = "proto3";');
    });

    it.each(["b.proto", "c.proto", "d.proto"])("count in %s", async (name) => {
      const { read, inUse } = started();
      write(name, 'syntax = "proto3"; message M {}');
      const found = await read(inUse);

      expect(found).toMatchObject({ status: "read", changed: ["stations[t].schema"] });
    });

    it("are watched, also of missing ones", async () => {
      const { read, inUse } = started();
      rmSync(path.join(cwd, "d.proto"));
      const found = await read(inUse);

      expect(found).toMatchObject({ status: "read", changed: ["stations[t].schema"] });
      expect(named(found)).toEqual(["a.proto", "b.proto", "c.proto", "d.proto", "stationgate.yaml"]);
      expect(found.files.get(path.join(cwd, "d.proto"))).toBeUndefined();
    });
  });

  it("are watched, also of a file that is missing", async () => {
    write("stationgate.yaml", SCHEMA);
    write("order.json", "{}");
    const { read, inUse } = started();
    rmSync(path.join(cwd, "order.json"));
    const found = await read(inUse);

    expect(found).toMatchObject({ status: "refused", faults: [expect.stringContaining("order.json")] });
    expect(found.files.has(path.join(cwd, "order.json"))).toBe(true);
  });
});

describe("the certificates of a port", () => {
  const pair = (cert: string) => ({ cert, key: "key" }) as never;
  const tls = { cert: "cert.pem", key: "key.pem" };
  const old = { public: pair("old"), admin: pair("old") } as TlsFiles;

  const writeSettings = (settings: object): void => {
    write("stationgate.yaml", JSON.stringify(settings));
  };

  beforeEach(() => {
    for (const name of ["cert.pem", "key.pem"]) write(name, "old");
  });

  it("stay if the new ones have a fault, and all else is applied", async () => {
    writeSettings({ server: { tls }, admin: { tls } });
    const { read, inUse } = started({
      readCertificates: (_, files) => {
        expect(files).toEqual(old);
        return {
          files: { public: pair("old"), admin: pair("new") },
          faults: ["server.tls.key: belongs to another certificate"],
        };
      },
    });
    write("cert.pem", "new");
    writeSettings({ server: { tls }, admin: { tls }, log: { level: "warn" } });

    expect(await read({ ...inUse, tls: old })).toMatchObject({
      status: "read",
      changed: ["admin.tls.cert", "log.level"],
      keptFaults: ["server.tls.key: belongs to another certificate"],
      next: { tls: { public: pair("old"), admin: pair("new") } },
    });
  });

  it("stay if a file is missing, and all else is applied", async () => {
    writeSettings({ server: { tls } });
    const { read, inUse } = started({
      readCertificates: () => ({ files: { public: pair("old") }, faults: ["server.tls.cert: missing"] }),
    });
    rmSync(path.join(cwd, "cert.pem"));
    writeSettings({ server: { tls }, log: { level: "warn" } });

    expect(await read({ ...inUse, tls: { public: pair("old") } })).toMatchObject({
      status: "read",
      changed: ["log.level"],
      keptFaults: [expect.stringContaining("cert.pem"), "server.tls.cert: missing"],
    });
  });

  it("have the new ca, clientAuth and minVersion though the new pair has a fault", async () => {
    for (const name of ["a.pem", "b.pem"]) write(name, name);
    writeSettings({ server: { tls: { ...tls, ca: "a.pem", clientAuth: "optional" } } });
    const { read, inUse } = started({
      readCertificates: () => ({ files: { public: pair("old") }, faults: ["server.tls.cert: has expired"] }),
    });
    write("cert.pem", "new");
    writeSettings({
      server: { tls: { ...tls, ca: "b.pem", clientAuth: "required", minVersion: "TLSv1.3" } },
    });

    expect(await read({ ...inUse, tls: { public: pair("old") } })).toMatchObject({
      status: "read",
      changed: ["server.tls.ca", "server.tls.clientAuth", "server.tls.minVersion"],
      next: { settings: { server: { tls: { clientAuth: "required", minVersion: "TLSv1.3" } } } },
    });
  });

  it("have the old ca if the new one has a fault", async () => {
    write("a.pem", "a");
    writeSettings({ server: { tls: { ...tls, ca: "a.pem", clientAuth: "optional" } } });
    const { read, inUse } = started({
      readCertificates: () => ({ files: { public: pair("new") }, faults: ["server.tls.ca: no"] }),
    });
    write("a.pem", "b");
    write("cert.pem", "new");

    expect(await read({ ...inUse, tls: { public: pair("old") } })).toMatchObject({
      status: "read",
      changed: ["server.tls.cert"],
    });
  });

  it("are not needed before a restart turns TLS on", async () => {
    writeSettings({});
    const { read, inUse } = started({
      readCertificates: () => ({ files: { public: pair("new") }, faults: [] }),
    });
    writeSettings({ server: { tls } });

    expect(await read(inUse)).toMatchObject({
      ...{ status: "read", changed: [], needsRestart: ["server.tls"] },
      next: { tls: {} },
    });
  });

  it("are kept until a restart turns TLS off", async () => {
    writeSettings({ server: { tls } });
    const { read, inUse } = started();
    writeSettings({ log: { level: "warn" } });
    const found = await read({ ...inUse, tls: old });

    expect(found).toMatchObject({ status: "read", changed: ["log.level"], needsRestart: ["server.tls"] });
    expect(found).toHaveProperty("next.tls", { public: pair("old") });
    expect(found).toHaveProperty("next.settings.server.tls.cert", path.join(cwd, "cert.pem"));
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readTls, type ReadTls, type TlsFiles } from "../../src/app/read-tls.ts";
import type { Settings } from "../../src/config/schema/schema.ts";
import { type Authority, createAuthority, type Identity } from "../support/authority.ts";

const DAY = 86_400_000;
const YEAR = 365 * DAY;

let authority: Authority;
let folder: string;
let valid: Identity;
let expired: Identity;

beforeAll(async () => {
  authority = await createAuthority();
  folder = await mkdtemp(path.join(tmpdir(), "stationgate-tls-"));
  valid = await authority.server({ until: YEAR });
  expired = await authority.server({ from: -2 * DAY, until: -DAY });
});

afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Given {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
  readonly keyPassphrase?: string;
}

/** Writes the texts as files and reads them. Without a text the file is missing. */
const read = async (given: Given, inUse?: TlsFiles): Promise<ReadTls> => {
  for (const name of ["cert", "key", "ca"] as const) {
    const text = given[name];
    if (text === undefined) await rm(path.join(folder, name), { force: true });
    else await writeFile(path.join(folder, name), text);
  }
  const file = (name: string): string => path.join(folder, name);
  const tls = {
    ...{ cert: file("cert"), key: file("key"), keyPassphrase: given.keyPassphrase, minVersion: "TLSv1.2" },
    ...("ca" in given ? { ca: file("ca"), clientAuth: "required" } : { clientAuth: "none" }),
  };
  return readTls({ server: { tls }, admin: {} } as unknown as Settings, inUse);
};

/** The faults without the folder. */
const faultsOf = async (given: Given, inUse?: TlsFiles): Promise<readonly string[]> =>
  (await read(given, inUse)).faults.map((line) => line.replaceAll(`${folder}/`, ""));

it("reads a pair", async () => {
  const { files, faults, warnings } = await read({ ...valid, ca: authority.cert });
  expect([faults, warnings]).toEqual([[], []]);
  expect(files).toEqual({
    public: {
      ...valid,
      ca: authority.cert,
      clientAuth: "required",
      minVersion: "TLSv1.2",
      ticketKeys: expect.objectContaining({ length: 48 }) as unknown,
    },
  });
});

it("has other ticket keys for another certificate", async () => {
  const keysOf = async (given: Given) => (await read(given)).files.public?.ticketKeys;
  const keys = await keysOf(valid);
  expect(await keysOf(valid)).toEqual(keys);
  expect(await keysOf(await authority.server())).not.toEqual(keys);
});

it("reads nothing for a port without TLS", () => {
  const { files } = readTls({ server: {}, admin: {} } as Settings);
  expect(files).toEqual({});
});

it("can be sent to another process", async () => {
  const { files } = await read(valid);
  expect(structuredClone(files)).toEqual(files);
});

it.each<[string, () => Given, readonly string[]]>([
  [
    "files are missing",
    () => ({}),
    [
      'server.tls.cert: got "cert", which is not a readable file',
      'server.tls.key: got "key", which is not a readable file',
    ],
  ],
  [
    "a file contains no certificate",
    () => ({ cert: "hello", key: valid.key }),
    ['server.tls.cert: got "cert", which contains no PEM certificate'],
  ],
  [
    "the end of the second certificate is missing",
    () => ({ ...valid, cert: `${valid.cert}\n${authority.cert.slice(0, 200)}` }),
    ['server.tls.cert: got "cert", which has a PEM block without its end'],
  ],
  [
    "the ca is half-written",
    () => ({ ...valid, ca: `${authority.cert}\n-----BEGIN CERT` }),
    ['server.tls.ca: got "ca", which has a PEM block without its end'],
  ],
  [
    "a certificate is broken",
    () => ({ ...valid, cert: valid.cert.replace(/\n[A-Za-z0-9+/]{10}/, "\n") }),
    ['server.tls.cert: got "cert", which contains no PEM certificate'],
  ],
  [
    "a file contains no key",
    () => ({ cert: valid.cert, key: valid.cert }),
    ['server.tls.key: got "key", which contains no PEM private key that needs no passphrase'],
  ],
  [
    "the passphrase is wrong",
    () => ({ cert: valid.cert, key: "hello", keyPassphrase: "guess" }),
    ['server.tls.key: got "key", which contains no PEM private key that keyPassphrase opens'],
  ],
  [
    "the ca contains no certificate",
    () => ({ ...valid, ca: valid.key }),
    ['server.tls.ca: got "ca", which contains no PEM certificate'],
  ],
])("reports that %s", async (_, given, faults) => {
  expect(await faultsOf(given())).toEqual(faults);
});

it("reports a key of another certificate", async () => {
  const other = await authority.server();
  const { faults, files } = await read({ cert: valid.cert, key: other.key });
  expect(faults.map((line) => line.replaceAll(`${folder}/`, ""))).toEqual([
    'server.tls.key: got "key", which belongs to another certificate than server.tls.cert "cert"',
  ]);
  expect(files).toEqual({});
});

it("warns about a certificate that has expired or expires soon", async () => {
  expect((await read(expired)).warnings).toEqual([
    expect.stringMatching(/^server\.tls\.cert has expired \(on .* GMT\): clients refuse it$/),
  ]);
  const soon = await authority.server({ until: 3.5 * DAY });
  expect((await read(soon)).warnings).toEqual([
    expect.stringMatching(/^server\.tls\.cert expires in 3 days \(on .* GMT\)$/),
  ]);
  const later = await authority.server({ from: DAY, until: YEAR });
  expect((await read(later)).warnings).toEqual([
    expect.stringMatching(/^server\.tls\.cert is not valid before .* GMT: clients refuse it until then$/),
  ]);
});

describe("in a reload", () => {
  it("keeps the pair in use if the new files have a fault", async () => {
    const { files: inUse } = await read(valid);
    const { files, faults } = await read({ cert: valid.cert }, inUse);
    expect(faults).toHaveLength(1);
    expect(files).toEqual(inUse);
  });

  it("uses a new ca with the old pair if the new pair has a fault", async () => {
    const { files: inUse } = await read({ ...valid, ca: authority.cert });
    const other = await authority.server();
    const { files, faults } = await read({ cert: other.cert, key: valid.key, ca: other.cert }, inUse);
    expect(faults).toEqual([expect.stringMatching(/^server\.tls\.key: .* belongs to another certificate/)]);
    expect(files).toEqual({ public: { ...inUse.public, ca: other.cert } });
  });

  it("requires client certificates though the new pair has expired", async () => {
    const { files: inUse } = await read(valid);
    const { files } = await read({ ...expired, ca: authority.cert }, inUse);
    expect(files.public).toEqual({ ...inUse.public, ca: authority.cert, clientAuth: "required" });
  });

  it("uses the new pair with the old ca if the new ca has a fault", async () => {
    const { files: inUse } = await read({ ...valid, ca: authority.cert });
    const other = await authority.server();
    const { files } = await read({ ...other, ca: "hello" }, inUse);
    expect(files.public).toMatchObject({ ...other, ca: authority.cert, clientAuth: "required" });
    expect(files.public?.ticketKeys).not.toEqual(inUse.public?.ticketKeys);
  });

  it("goes on without client certificates if the first ca has a fault", async () => {
    const { files: inUse } = await read(valid);
    const { files } = await read({ ...valid, ca: "hello" }, inUse);
    expect(files).toEqual(inUse);
  });

  it("refuses an expired certificate as long as the certificate in use is valid", async () => {
    const { files: inUse } = await read(valid);
    const { files, faults } = await read(expired, inUse);
    expect(faults).toEqual([
      expect.stringMatching(/^server\.tls\.cert: got ".*", whose certificate expired on /),
    ]);
    expect(files).toEqual(inUse);
    const { files: expiredInUse } = await read(expired);
    expect((await read(expired, expiredInUse)).faults).toEqual([]);
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Authority, createAuthority } from "../../support/authority.ts";
import { fakeShell, runInProcess } from "../support.ts";

let authority: Authority;
let folder: string;

beforeAll(async () => {
  authority = await createAuthority();
  folder = await mkdtemp(path.join(tmpdir(), "stationgate-check-"));
});

afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const check = async (settings: string, options: readonly string[] = []) => {
  await writeFile(path.join(folder, "stationgate.yaml"), settings);
  const shell = fakeShell({ cwd: folder });
  const { exit } = await runInProcess(shell, ["check-config", "stationgate.yaml", ...options]);
  return { exit, printed: shell.printed(), noted: shell.noted() };
};

const TLS = "server: { tls: { cert: cert.pem, key: key.pem } }\n";

const writePair = async ({ cert, key }: { readonly cert: string; readonly key: string }): Promise<void> => {
  await writeFile(path.join(folder, "cert.pem"), cert);
  await writeFile(path.join(folder, "key.pem"), key);
};

it("refuses a certificate of a listener that TLS cannot use", async () => {
  const [one, another] = [await authority.server({}), await authority.server({})];
  await writePair({ cert: one.cert, key: another.key });
  const { exit, printed } = await check(TLS);
  expect(exit).toBe("failed");
  expect(printed).toMatch(/^server\.tls\.key: got \S+, which belongs to another certificate [^\n]*\n$/);
});

it("warns of a certificate of a listener that has expired", async () => {
  const day = 86_400_000;
  await writePair(await authority.server({ from: -2 * day, until: -day }));
  const { exit, printed, noted } = await check(TLS);
  expect({ exit, printed }).toEqual({ exit: "ok", printed: "The settings are valid.\n" });
  expect(noted).toContain("warning: server.tls.cert has expired ");
});

it("warns of settings that the gateway does not follow", async () => {
  const { noted } = await check("server: { workers: 2 }\n");
  expect(noted).toContain("warning: server.workers is 2, but the embedded log belongs to one process");
});

it("prints faults and warnings as one document with --json", async () => {
  const settings = `${TLS}connectors: [{ name: crm, config: {} }]\n`;
  await writePair({ cert: "none", key: "none" });
  const { printed } = await check(settings, ["--json"]);
  expect(JSON.parse(printed)).toEqual({
    valid: false,
    faults: expect.arrayContaining([
      expect.stringMatching(/^server\.tls\.cert: /),
      expect.stringMatching(/^connectors\.crm: /),
    ]) as unknown,
    warnings: expect.arrayContaining([expect.stringContaining("no client can produce")]) as unknown,
  });
});

import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { bindFault } from "../../../src/app/start-faults.ts";
import { loadSettings } from "../../../src/config/load.ts";
import type { Settings } from "../../../src/config/schema/schema.ts";
import { GatewayError } from "../../../src/errors.ts";

const settingsWith = (server: object, admin: object): Settings => {
  const env = Object.fromEntries(
    Object.entries({ SERVER: server, ADMIN: admin }).flatMap(([group, keys]) =>
      Object.entries(keys).map(([key, value]) => [
        `STATIONGATE_${group}_${key.toUpperCase()}`,
        String(value),
      ]),
    ),
  );
  const loaded = loadSettings({ env, cwd: "." });
  if (loaded.status === "refused") throw new Error(loaded.faults.join("\n"));
  return loaded.settings;
};

const listen = async (port: number, host: string): Promise<AddressInfo> => {
  const server = createServer().listen(port, host);
  try {
    await once(server, "listening");
    return server.address() as AddressInfo;
  } finally {
    server.close();
  }
};

const failureOf = (port: number, host: string): Promise<unknown> =>
  listen(port, host).then(
    () => undefined,
    (error: unknown) => error,
  );

describe("bindFault", () => {
  it("names the setting of a port that another process uses", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const error = await failureOf(port, "127.0.0.1");
    taken.close();
    for (const [settings, text] of [
      [settingsWith({ port }, {}), `server.port: got ${port}, but another process listens on this port`],
      [settingsWith({}, { port }), `admin.port: got ${port}, but another process listens on this port`],
    ] as const) {
      expect(bindFault(error, settings)).toMatchObject({ code: "SETTINGS_INVALID", message: text });
    }
  });

  it("names the setting of a host that this machine does not have", async () => {
    // TEST-NET-1 (RFC 5737): nobody's address.
    const error = await failureOf(0, "192.0.2.1");
    expect(bindFault(error, settingsWith({ host: "192.0.2.1" }, {}))).toMatchObject({
      message: 'server.host: got "192.0.2.1", but this machine does not have this address',
    });
    expect(bindFault(error, settingsWith({}, { host: "192.0.2.1" }))).toMatchObject({
      message: 'admin.host: got "192.0.2.1", but this machine does not have this address',
    });
  });

  it("returns other errors unchanged", () => {
    const error = new GatewayError("INTERNAL");
    expect(bindFault(error, settingsWith({}, {}))).toBe(error);
  });
});

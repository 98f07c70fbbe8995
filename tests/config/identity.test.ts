import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadOrCreateIdentity, withIdentity } from "../../src/config/identity.ts";
import { GatewayError } from "../../src/errors.ts";
import { folder, settingsOf } from "./support.ts";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe("loadOrCreateIdentity", () => {
  it("creates a file that only its owner can read, and no other file", () => {
    const dir = join(folder(), "deep", "data");
    loadOrCreateIdentity(dir);
    expect(modeOf(dir)).toBe("700");
    expect(modeOf(join(dir, "identity.json"))).toBe("600");
    expect(readdirSync(dir)).toEqual(["identity.json"]);
  });

  it("returns the same identity again, and a different identity for another directory", () => {
    const dir = folder();
    const identity = loadOrCreateIdentity(dir);
    expect(loadOrCreateIdentity(dir)).toEqual(identity);
    expect(loadOrCreateIdentity(folder()).connectionToken).not.toBe(identity.connectionToken);
    expect(new Set(Object.values(identity)).size).toBe(5);
  });

  it.each(["", "{", "null", '{"username":"root"}', '{"username":"root","secret":"hush-hush"}'])(
    "refuses the damaged file %p, keeps it, and does not quote it",
    (text) => {
      const dir = folder();
      const path = join(dir, "identity.json");
      writeFileSync(path, text);
      expect(() => loadOrCreateIdentity(dir)).toThrow(/identity\.json is damaged: (?!.*hush)/);
      expect(readFileSync(path, "utf8")).toBe(text);
    },
  );

  it("names the path that it can't write", () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect(() => loadOrCreateIdentity(join(file, "data"))).toThrow(GatewayError);
    chmodSync(file, 0o600);
  });
});

describe("withIdentity", () => {
  it("gives root all rights, and both kinds of tokens their secrets", () => {
    const identity = loadOrCreateIdentity(folder());
    const { auth, admin } = withIdentity(settingsOf({}), identity);
    expect(auth.accounts).toMatchObject([
      {
        username: "root",
        connectionToken: identity.connectionToken,
        stations: ["*"],
        consume: ["*"],
        groups: ["*"],
        origins: [],
      },
    ]);
    expect(auth.accessToken.secrets).toEqual([{ kid: "default", secret: identity.accessTokenSecret }]);
    expect(auth.refreshToken.secrets).toEqual([{ kid: "default", secret: identity.refreshTokenSecret }]);
    expect(admin.token).toBe(identity.adminToken);
  });

  it("keeps a configured operators' token", () => {
    const settings = settingsOf({ env: { STATIONGATE_ADMIN_TOKEN: "mine" } });
    expect(withIdentity(settings, loadOrCreateIdentity(folder())).admin.token).toBe("mine");
  });
});

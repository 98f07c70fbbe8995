import type { z } from "zod";
import { changesOf } from "../../src/config/changes.ts";
import { applicableOf, decisionOf } from "../../src/config/restart.ts";
import { settingsSchema, type Settings } from "../../src/config/schema/schema.ts";
import { groupOf, infoOf, itemOf } from "../../src/config/tree.ts";

const reloaded = (before: object, after: object) => {
  const [inUse, next] = [settingsSchema.parse(before), settingsSchema.parse(after)];
  const { keep, ...rest } = applicableOf(changesOf(inUse, next), inUse);
  return { ...rest, settings: keep<Settings>(next, inUse) };
};

/** The paths of all keys, in the form of the table. */
const pathsOf = (schema: z.core.$ZodType, path: string): readonly string[] => {
  const item = itemOf(schema);
  const group = groupOf(item ?? schema, undefined);
  if (group === undefined || (item === undefined && infoOf(schema) !== undefined)) return [path];
  const below = item === undefined ? path : `${path}[]`;
  const names = Object.entries(group);
  return names.flatMap(([name, inner]) => pathsOf(inner, below === "" ? name : `${below}.${name}`));
};

describe("the table of settings that need a restart", () => {
  const paths = pathsOf(settingsSchema, "");

  it("sees the settings", () => {
    expect(paths).toEqual(
      expect.arrayContaining(["server.port", "auth.apiKeys[].key", "stations[].schema", "log.level"]),
    );
  });

  it.each(paths)("decides about %s", (path) => {
    expect(decisionOf(path)).toMatch(/^(reload|restart)$/);
  });

  it.each([
    ["delivery.somethingNew", undefined],
    ["log.somethingNew", undefined],
    ["somethingNew", undefined],
    ["server.port", "restart"],
    ["server.tls", "restart"],
    ["server.tls.cert", "reload"],
    ["admin.tls", "restart"],
    ["admin.tls.key", "reload"],
    ["admin.token", "reload"],
    ["admin.port", "restart"],
    ["stations[]", "reload"],
    ["stations[].topic", "restart"],
    ["stations[].schema", "reload"],
    ["stations[].once.window", "reload"],
    ["webhooks[].once.strict", "reload"],
    ["once.callWindow", "restart"],
    ["auth.apiKeys[].key", "reload"],
    ["broker.kafka.ssl", "restart"],
    ["eventService.clients.value[].name", "restart"],
  ])("has %s as %s", (path, decision) => {
    expect(decisionOf(path)).toBe(decision);
  });
});

describe("a reload", () => {
  it("applies what it can, and keeps the rest with its name", () => {
    const { changed, needsRestart, settings } = reloaded(
      { server: { port: 1 }, admin: { host: "127.0.0.1" }, cors: { origins: ["https://a.example"] } },
      { server: { port: 2 }, admin: { host: "::1", failuresPerMinute: 3 } },
    );

    expect({ changed, needsRestart }).toEqual({
      changed: ["admin.failuresPerMinute", "cors.origins"],
      needsRestart: ["server.port", "admin.host"],
    });
    expect(settings.server.port).toBe(1);
    expect(settings.admin).toMatchObject({ host: "127.0.0.1", failuresPerMinute: 3 });
    expect(settings.cors.origins).toEqual(["*"]);
  });

  it("keeps the topic of a station that stays, and takes the topics of new ones", () => {
    const { changed, needsRestart, settings } = reloaded(
      { stations: [{ name: "a", topic: "one" }, { name: "gone" }] },
      {
        stations: [
          { name: "new", topic: "x" },
          { name: "a", topic: "two", key: "/id" },
        ],
      },
    );

    expect({ changed, needsRestart }).toEqual({
      changed: ["stations[a].key", "stations[gone]", "stations[new]"],
      needsRestart: ["stations[a].topic"],
    });
    expect(settings.stations.map(({ name, topic }) => [name, topic])).toEqual([
      ["new", "x"],
      ["a", "one"],
    ]);
  });

  it("keeps the key of a station while its events have ids, and takes what once says", () => {
    const { changed, needsRestart, settings } = reloaded(
      {
        stations: [
          { name: "a", key: "/k", once: { id: "/id", window: "1h" } },
          { name: "b", key: "/k" },
        ],
      },
      {
        stations: [
          { name: "b", key: "/k2", once: { id: "/id", window: "1h" } },
          { name: "a", once: { id: "/id2", window: "2h" } },
        ],
      },
    );

    expect({ changed, needsRestart }).toEqual({
      changed: ["stations[a].once.id", "stations[a].once.window", "stations[b].key", "stations[b].once"],
      needsRestart: ["stations[a].key"],
    });
    expect(settings.stations.map(({ name, key, once }) => [name, key, once?.id])).toEqual([
      ["b", "/k2", "/id"],
      ["a", "/k", "/id2"],
    ]);
  });

  it("keeps a whole section whose lists have changed", () => {
    const client = (name: string) => ({ type: "noncustodial", name, domains: [`${name}.example`] });
    const { changed, needsRestart, settings } = reloaded(
      { eventService: { clients: { value: [client("a"), client("b")] } } },
      { eventService: { clients: { value: [client("b"), client("c")] } } },
    );

    expect({ changed, needsRestart }).toEqual({
      changed: [],
      needsRestart: ["eventService.clients.value[a]", "eventService.clients.value[c]"],
    });
    expect(settings.eventService.clients.value.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("removes a key that was not set before", () => {
    const { settings } = reloaded({}, { tracing: { endpoint: "http://127.0.0.1:4318" } });

    expect(settings.tracing.endpoint).toBeUndefined();
  });
});

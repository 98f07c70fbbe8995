import type { ReloadAnswer } from "../../../src/http/handlers/operations/reload.ts";
import type { Reading } from "../../../src/main/reload/source.ts";
import { CHANGED, find, FOUND, setUp, START, turns } from "./support.ts";

describe("a reload", () => {
  it("prepares, swaps and answers with the next generation", async () => {
    const { reloader, world, events, lines, counts, shown } = setUp();
    world.found = find(CHANGED);
    const answer = await reloader.reload({ dryRun: false });

    expect(answer).toEqual({
      status: "applied",
      trigger: "request",
      generation: 2,
      changed: ["auth.apiKeys[a]"],
      needsRestart: [],
      workers: 2,
    });
    expect(events).toEqual(["read", "files", "prepare 1", "swap 1", "applied"]);
    expect(lines).toEqual([
      {
        level: "info",
        msg: "settings reloaded",
        ...{ trigger: "request", generation: 2, changed: ["auth.apiKeys[a]"], needsRestart: [], ms: 0 },
      },
    ]);
    expect(counts).toEqual(["request applied"]);
    expect(reloader.status()).toEqual({
      generation: 2,
      loadedAt: new Date(1_700_000_000_000).toISOString(),
      needsRestart: [],
    });
    expect(shown).toEqual([reloader.status()]);
  });

  it("with nothing to change stays in its generation", async () => {
    const { reloader, events, lines, counts } = setUp();
    const answer = await reloader.reload({ dryRun: false });

    expect(answer).toMatchObject({ status: "unchanged", generation: 1, workers: 2 });
    expect([events, lines, counts]).toEqual([["read", "files"], [], ["request unchanged"]]);
    expect(reloader.status()).toEqual({ generation: 1, loadedAt: START, needsRestart: [] });
  });

  it("with faults changes nothing, and logs them", async () => {
    const { reloader, world, events, lines, counts } = setUp();
    world.found = { status: "refused", faults: ["a: b"], files: new Map() };

    expect(await reloader.reload({ dryRun: false })).toEqual({ status: "refused", faults: ["a: b"] });
    expect(events).toEqual(["read", "files"]);
    expect(lines).toEqual([
      {
        level: "error",
        msg: "settings refused, the old ones stay",
        ...{ trigger: "request", faults: ["a: b"] },
      },
    ]);
    expect(counts).toEqual(["request refused"]);
  });

  it("discards what is prepared if a worker can't prepare", async () => {
    const { reloader, world, events, counts } = setUp();
    world.found = find(CHANGED);
    world.faults = ["worker 2: no"];

    expect(await reloader.reload({ dryRun: false })).toEqual({ status: "failed", faults: ["worker 2: no"] });
    expect(events).toEqual(["read", "files", "prepare 1", "discard 1"]);
    expect(counts).toEqual(["request failed"]);
    expect(reloader.status().generation).toBe(1);
  });

  it("names settings that need a restart, once while they are the same", async () => {
    const { reloader, world, lines, counts } = setUp();
    world.found = find({ needsRestart: ["server.port"] });
    const answer = await reloader.reload({ dryRun: false });
    await reloader.reload({ dryRun: false });

    expect(answer).toMatchObject({ status: "unchanged", generation: 1, needsRestart: ["server.port"] });
    expect(lines).toEqual([{ level: "warn", msg: "settings need a restart", needsRestart: ["server.port"] }]);
    expect(reloader.status().needsRestart).toEqual(["server.port"]);

    world.found = FOUND;
    await reloader.reload({ dryRun: false });

    expect(reloader.status().needsRestart).toEqual([]);
    expect(counts.filter((count) => count.startsWith("restart"))).toEqual(["restart true", "restart false"]);
  });

  it("as a dry run says what would change, and changes nothing", async () => {
    const { reloader, world, events, lines, counts } = setUp();
    world.found = find({ ...CHANGED, needsRestart: ["server.port"] });
    const answer = await reloader.reload({ dryRun: true });

    expect(answer).toMatchObject({
      ...{ status: "dryRun", trigger: "request", generation: 1 },
      ...{ changed: ["auth.apiKeys[a]"], needsRestart: ["server.port"] },
    });
    expect([events, lines, counts]).toEqual([["read"], [], []]);
    expect(reloader.status().needsRestart).toEqual([]);
  });

  it("shows that its settings are refused until a reload has no faults", async () => {
    const { reloader, world } = setUp();
    const afterReload = async (found: Reading): Promise<boolean | undefined> => {
      world.found = found;
      await reloader.reload({ dryRun: false });
      return world.isRefused;
    };
    const refused: Reading = { status: "refused", faults: ["a: b"], files: new Map() };
    const certificates = { keptFaults: ["server.tls.cert: no"] };

    expect(await afterReload(refused)).toBe(true);
    world.isRefused = undefined;
    await reloader.reload({ dryRun: true });
    expect(world.isRefused).toBeUndefined();
    expect(await afterReload(find({}))).toBe(false);
    expect(await afterReload(find({ ...CHANGED, ...certificates }))).toBe(true);
    expect(await afterReload(find(CHANGED))).toBe(false);
    expect(await afterReload(find(certificates))).toBe(true);
    world.faults = ["worker 2: no"];
    expect(await afterReload(find(CHANGED))).toBe(true);
  });

  it("reports an error of the program as a failed reload", async () => {
    const { reloader, world, lines } = setUp();
    world.reading = () => Promise.reject(new TypeError("a bug"));

    expect(await reloader.reload({ dryRun: false })).toEqual({ status: "failed", faults: ["a bug"] });
    expect(lines).toHaveLength(2);
  });

  it("writes audit entries for signals and files, because a request has one of its own", async () => {
    const { reloader, world, audit } = setUp();
    world.found = find(CHANGED);
    await reloader.trigger("signal");
    await reloader.reload({ dryRun: false });
    world.found = { status: "refused", faults: ["a: b"], files: new Map() };
    await reloader.trigger("file");

    expect(audit).toEqual([
      { trigger: "signal", outcome: "done", changed: ["auth.apiKeys[a]"] },
      { trigger: "file", outcome: "refused", changed: [] },
    ]);
  });
});

describe("several triggers", () => {
  it("during a reload share the next one, each with its own trigger in the answer", async () => {
    const { reloader, world, events, lines } = setUp();
    world.found = find(CHANGED);
    let end = (): void => undefined;
    world.reading = () => new Promise((resolve) => (end = resolve));
    const first = reloader.trigger("signal");
    await turns();
    world.reading = () => Promise.resolve();
    const others = [reloader.trigger("file"), reloader.reload({ dryRun: false }), reloader.trigger("file")];
    await turns();

    expect(events).toEqual(["read"]);

    end();
    const answers = await Promise.all([first, ...others]);

    expect(answers.map((answer) => [answer.status, (answer as { trigger: string }).trigger])).toEqual([
      ["applied", "signal"],
      ["applied", "file"],
      ["applied", "request"],
      ["applied", "file"],
    ]);
    expect(events.filter((event) => event === "read")).toHaveLength(2);
    expect(lines.map((line) => (line as { generation: number }).generation)).toEqual([2, 3]);
  });

  it("never turn a dry run into a reload", async () => {
    const { reloader, world, events } = setUp();
    world.found = find(CHANGED);
    const answers: readonly ReloadAnswer[] = await Promise.all([
      reloader.reload({ dryRun: true }),
      reloader.reload({ dryRun: false }),
      reloader.reload({ dryRun: true }),
    ]);

    expect(answers.map(({ status }) => status)).toEqual(["dryRun", "applied", "dryRun"]);
    expect(events).toEqual(["read", "read", "files", "prepare 1", "swap 1", "applied"]);
  });
});

describe("a change of a file that a worker could not prepare", () => {
  it("is tried again every 5 s until it is applied", async () => {
    const { reloader, world, clock, counts, lines } = setUp();
    world.found = find(CHANGED);
    world.faults = ["worker 1: no"];
    await reloader.trigger("file");
    for (let again = 0; again < 2; again += 1) {
      clock.advance(4999);
      await turns();
      clock.advance(1);
      await turns();
    }
    world.faults = [];
    clock.advance(5000);
    await turns();
    clock.advance(60_000);
    await turns();

    expect(counts).toEqual(["file failed", "file failed", "file failed", "file applied"]);
    expect(lines.map((line) => (line as { level: string }).level)).toEqual(["error", "info"]);
  });

  it("is not tried again after another trigger has applied it", async () => {
    const { reloader, world, clock, counts } = setUp();
    world.found = find(CHANGED);
    world.faults = ["worker 1: no"];
    await reloader.trigger("file");
    world.faults = [];
    await reloader.trigger("signal");
    clock.advance(60_000);
    await turns();

    expect(counts).toEqual(["file failed", "signal applied"]);
  });

  it("has one attempt every 5 s, also if other triggers fail meanwhile", async () => {
    const { reloader, world, clock, counts } = setUp();
    world.found = find(CHANGED);
    world.faults = ["worker 1: no"];
    await reloader.trigger("file");
    clock.advance(2000);
    await reloader.trigger("file");
    await reloader.trigger("signal");
    clock.advance(3000);
    await turns();
    clock.advance(4000);
    await turns();

    expect(counts).toEqual(["file failed", "file failed", "signal failed", "file failed"]);
  });

  it.each(["signal", "request"] as const)(
    "is tried again if a %s was faster than the watcher, with the same trigger",
    async (by) => {
      const { reloader, world, clock, counts } = setUp();
      world.found = find(CHANGED);
      world.faults = ["worker 1: no"];
      await (by === "request" ? reloader.reload({ dryRun: false }) : reloader.trigger(by));
      world.faults = [];
      clock.advance(5000);
      await turns();

      expect(counts).toEqual([`${by} failed`, `${by} applied`]);
    },
  );

  it("has an audit entry when a repetition applies it, also after a request", async () => {
    const { reloader, world, clock, audit } = setUp();
    world.found = find(CHANGED);
    world.faults = ["worker 1: no"];
    await reloader.reload({ dryRun: false });
    clock.advance(5000);
    await turns();
    world.faults = [];
    clock.advance(5000);
    await turns();

    expect(audit).toEqual([{ trigger: "file", outcome: "done", changed: CHANGED.changed }]);
  });

  it("is not tried again if files are not watched", async () => {
    const { reloader, world, clock, counts } = setUp({ reload: { watch: false } });
    world.found = find(CHANGED);
    world.faults = ["worker 1: no"];
    await reloader.trigger("signal");
    clock.advance(60_000);
    await turns();

    expect(counts).toEqual(["signal failed"]);
  });
});

it("begins no reload after it is stopped", async () => {
  const { reloader, world, clock, events } = setUp();
  world.found = find(CHANGED);
  world.faults = ["worker 1: no"];
  await reloader.trigger("file");
  const before = events.length;
  reloader.stop();
  clock.advance(60_000);

  expect(await reloader.trigger("signal")).toEqual({
    status: "failed",
    faults: ["The process is shutting down"],
  });
  expect(events).toHaveLength(before);
});

import { CHANGED, find, setUp, turns } from "./support.ts";

describe("faults of files", () => {
  it("are logged once while they are the same", async () => {
    const { reloader, world, lines } = setUp();
    const refuse = (fault: string) => {
      world.found = { status: "refused", faults: [fault], files: new Map() };
    };
    refuse("a");
    await reloader.trigger("file");
    await reloader.trigger("file");
    refuse("b");
    await reloader.trigger("file");
    refuse("a");
    await reloader.trigger("file");

    expect(lines.map((line) => (line as { faults: string[] }).faults)).toEqual([["a"], ["b"], ["a"]]);
  });

  it("are logged again after a good reload", async () => {
    const { reloader, world, lines } = setUp();
    for (const found of [["a"], [], ["a"]]) {
      world.found = found.length > 0 ? { status: "refused", faults: found, files: new Map() } : find({});
      await reloader.trigger("file");
    }

    expect(lines).toHaveLength(2);
  });

  it("are logged for each signal", async () => {
    const { reloader, world, lines } = setUp();
    world.found = { status: "refused", faults: ["a"], files: new Map() };
    await reloader.trigger("signal");
    await reloader.trigger("signal");

    expect(lines).toHaveLength(2);
  });
});

describe("faults of certificates", () => {
  it("hold nothing else up, and are logged when they have lasted for 5 s", async () => {
    const { reloader, world, clock, lines } = setUp();
    world.found = find({ ...CHANGED, keptFaults: ["server.tls.key: other"] });
    const answer = await reloader.reload({ dryRun: false });

    expect(answer).toMatchObject({ status: "applied", faults: ["server.tls.key: other"] });

    world.found = find({ keptFaults: ["server.tls.key: other"] });
    clock.advance(5000);
    await turns();
    clock.advance(60_000);
    await turns();
    await reloader.trigger("file");

    expect(lines.map((line) => (line as { msg: string }).msg)).toEqual([
      "settings reloaded",
      "settings refused, the old ones stay",
    ]);
  });

  it("are not logged if the pair fits within 5 s", async () => {
    const { reloader, world, clock, lines } = setUp();
    world.found = find({ keptFaults: ["server.tls.key: other"] });
    await reloader.trigger("file");
    clock.advance(4000);
    world.found = find({ changed: ["server.tls.cert", "server.tls.key"] });
    await reloader.trigger("file");
    clock.advance(60_000);
    await turns();

    expect(lines.map((line) => (line as { msg: string }).msg)).toEqual(["settings reloaded"]);
  });

  it("are reported 5 s after the last other fault", async () => {
    const { reloader, world, clock, lines } = setUp();
    world.found = find({ keptFaults: ["server.tls.key: other"] });
    await reloader.trigger("file");
    clock.advance(4000);
    world.found = find({ keptFaults: ["server.tls.cert: broken"] });
    await reloader.trigger("file");
    clock.advance(4000);
    await turns();
    expect(lines).toEqual([]);

    clock.advance(1000);
    await turns();
    expect(lines).toMatchObject([{ trigger: "file", faults: ["server.tls.cert: broken"] }]);
  });

  it("have 5 s again after a reload that was refused for another reason", async () => {
    const { reloader, world, clock, lines } = setUp();
    const broken = find({ keptFaults: ["server.tls.key: other"] });
    world.found = broken;
    await reloader.trigger("file");
    world.found = { status: "refused", faults: ["a: b"], files: new Map() };
    clock.advance(5000);
    await turns();
    world.found = broken;
    await reloader.trigger("file");
    expect(lines).toMatchObject([{ faults: ["a: b"] }]);

    clock.advance(5000);
    await turns();
    expect(lines).toMatchObject([{ faults: ["a: b"] }, { faults: ["server.tls.key: other"] }]);
  });

  it("have an audit entry for each signal, and a line at once if they are known", async () => {
    const { reloader, world, clock, lines, audit, counts } = setUp();
    world.found = find({ keptFaults: ["server.tls.key: other"] });
    await reloader.trigger("signal");
    expect(audit).toEqual([{ trigger: "signal", outcome: "refused", changed: [] }]);

    clock.advance(5000);
    await turns();
    expect(lines).toMatchObject([{ trigger: "signal", faults: ["server.tls.key: other"] }]);
    expect(audit).toHaveLength(1);

    await reloader.trigger("signal");
    expect(lines).toHaveLength(2);
    expect(audit).toHaveLength(2);
    expect(counts).toEqual(["signal refused", "signal refused", "signal refused"]);
  });

  it.each([
    ["signal", "done, refused"],
    ["file", "done, refused"],
  ] as const)(
    "have an audit entry of their own if a %s has also applied something",
    async (trigger, outcomes) => {
      const { reloader, world, clock, audit } = setUp();
      const keptFaults = ["server.tls.key: other"];
      world.found = find({ ...CHANGED, keptFaults });
      await reloader.trigger(trigger);
      world.found = find({ keptFaults });
      clock.advance(5000);
      await turns();
      clock.advance(5000);
      await turns();

      expect(audit.map((entry) => (entry as { outcome: string }).outcome).join(", ")).toBe(outcomes);
    },
  );

  it("alone are a refused reload", async () => {
    const { reloader, world, counts } = setUp();
    world.found = find({ keptFaults: ["admin.tls.cert: broken"] });

    expect(await reloader.reload({ dryRun: false })).toEqual({
      status: "refused",
      faults: ["admin.tls.cert: broken"],
    });
    expect(counts).toEqual(["request refused"]);
  });
});

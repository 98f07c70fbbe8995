import { GatewayError } from "../../../src/errors.ts";
import {
  createCommitLoop,
  type Change,
  type CommitLoop,
  type CommitLoopParts,
} from "../../../src/broker/embedded/commit-loop.ts";

interface Disk {
  readonly loop: CommitLoop;
  /** The changes of each commit. */
  readonly commits: string[][];
  readonly failures: number[];
  /** Ends the current commit. Resolves once the loop has handled the end. */
  finish(error?: Error): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A loop over a disk on which a commit takes until `finish`. */
const slowDisk = (stallAfter = 60_000, admit: CommitLoopParts["admit"] = () => Promise.resolve()): Disk => {
  const commits: string[][] = [];
  const failures: number[] = [];
  let end: ((error?: Error) => void) | undefined;
  const loop = createCommitLoop({
    stallAfter,
    admit,
    onFailure: () => failures.push(commits.length),
    commit: (stage) =>
      new Promise((resolve, reject) => {
        commits.push([]);
        stage();
        end = (error) => {
          if (error === undefined) resolve();
          else reject(error);
        };
      }),
  });
  return {
    loop,
    commits,
    failures,
    finish: async (error) => {
      end?.(error);
      await turn();
    },
  };
};

const change = ({ commits }: Disk, name: string): Change<string> => ({
  bytes: name.length,
  stage: () => commits.at(-1)?.push(name),
  applied: () => `${name} is stored`,
});

const submitAll = (disk: Disk, names: readonly string[]): readonly Promise<string>[] =>
  names.map((name) => disk.loop.submit(change(disk, name)));

describe("a commit loop", () => {
  it("commits the first change at once, and all changes that come during a commit in the next one", async () => {
    const disk = slowDisk();
    const first = submitAll(disk, ["a"]);
    await turn();
    const gathered = submitAll(disk, ["b", "c", "d"]);
    await turn();
    expect(disk.commits).toEqual([["a"]]);
    await disk.finish();
    expect(disk.commits).toEqual([["a"], ["b", "c", "d"]]);
    await disk.finish();

    expect(await Promise.all([...first, ...gathered])).toEqual(
      ["a", "b", "c", "d"].map((name) => `${name} is stored`),
    );
  });

  it("settles a change only after its commit", async () => {
    const disk = slowDisk();
    let settled = false;
    const [submitted] = submitAll(disk, ["a"]);
    void submitted?.then(() => {
      settled = true;
    });
    await turn();
    await turn();

    expect(settled).toBe(false);
    await disk.finish();
    expect(settled).toBe(true);
  });

  it("fails all changes of a failed commit, and continues with the next commit", async () => {
    const disk = slowDisk();
    const settled = Promise.allSettled(submitAll(disk, ["a", "b"]));
    await turn();
    const next = submitAll(disk, ["c"]);
    await disk.finish(new Error("I/O"));
    expect(disk.failures).toEqual([1]);
    expect(disk.loop.healthy()).toBe(false);
    await disk.finish();

    expect(await settled).toMatchObject([
      { reason: { code: "BROKER_AMBIGUOUS" } },
      { reason: { code: "BROKER_AMBIGUOUS" } },
    ]);
    expect(await Promise.all(next)).toEqual(["c is stored"]);
    expect(disk.loop.healthy()).toBe(true);
  });

  it("rejects with the commit's own GatewayError", async () => {
    const disk = slowDisk();
    const settled = Promise.allSettled(submitAll(disk, ["a"]));
    await turn();
    await disk.finish(new GatewayError("BROKER_UNAVAILABLE"));

    expect(await settled).toMatchObject([{ reason: { code: "BROKER_UNAVAILABLE" } }]);
  });

  it("fails all changes while the disk hangs, and accepts changes after the disk has recovered", async () => {
    // Long enough for the commit of "d" below, also on a loaded machine.
    const disk = slowDisk(300);
    const hanging = Promise.allSettled(submitAll(disk, ["a"]));
    await turn();
    const behind = Promise.allSettled(submitAll(disk, ["b"]));

    expect(await hanging).toMatchObject([{ reason: { code: "BROKER_AMBIGUOUS" } }]);
    expect(await behind).toMatchObject([{ reason: { code: "BROKER_UNAVAILABLE" } }]);
    expect(disk.loop.healthy()).toBe(false);
    await expect(disk.loop.submit(change(disk, "c"))).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });

    await disk.finish();
    expect(disk.loop.healthy()).toBe(true);
    const later = disk.loop.submit(change(disk, "d"));
    await turn();
    await disk.finish();
    expect(await later).toBe("d is stored");
    expect(disk.commits).toEqual([["a"], ["d"]]);
  });

  it("closes after all changes are settled, and refuses new changes", async () => {
    const disk = slowDisk();
    const last = submitAll(disk, ["a"]);
    await turn();
    const closing = disk.loop.close();
    await expect(disk.loop.submit(change(disk, "b"))).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await disk.finish();
    await closing;

    expect(await Promise.all(last)).toEqual(["a is stored"]);
  });

  it("commits positions and freeing without the records that the disk has no space for", async () => {
    const full = new GatewayError("BROKER_UNAVAILABLE");
    const asked: unknown[] = [];
    const disk = slowDisk(60_000, (bytes, purpose) => {
      asked.push([bytes, purpose]);
      return purpose === "records" ? Promise.reject(full) : Promise.resolve();
    });
    const submitted = [
      disk.loop.submit({ ...change(disk, "freed"), purpose: "freeing" }),
      disk.loop.submit(change(disk, "record")),
      disk.loop.submit({ ...change(disk, "position"), purpose: "positions" }),
    ];
    const settled = Promise.allSettled(submitted);
    await turn();
    await disk.finish();

    expect(disk.commits).toEqual([["freed", "position"]]);
    expect(asked).toEqual([
      [19, "records"],
      [13, "positions"],
    ]);
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(disk.loop.healthy()).toBe(false);
    await disk.loop.close();
  });
});

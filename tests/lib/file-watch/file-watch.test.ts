import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch as watchOfNode,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createClock, systemClock } from "../../../src/lib/clock.ts";
import { type Digests, watchFiles, type FileWatch } from "../../../src/lib/file-watch/file-watch.ts";

const DEBOUNCE_MS = 60;
/** So long that no test sees a poll, unless it wants to. */
const NEVER_MS = 3_600_000;

let directory = "";
const watches: FileWatch[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "stationgate-watch-"));
});

afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
  rmSync(directory, { recursive: true, force: true });
});

const at = (name: string): string => path.join(directory, name);
const write = (name: string, text: string): void => {
  writeFileSync(at(name), text);
};

const digestNow = (file: string): string | undefined => {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("base64url");
  } catch {
    return undefined;
  }
};
const digestsNow = (...names: readonly string[]): Digests =>
  new Map(names.map((name) => [at(name), digestNow(at(name))]));

/** Polls itself often, so that a test can wait for something that must not depend on events. */
const watching = (names: readonly string[], pollMs = NEVER_MS) => {
  const seen = { calls: 0 };
  const waiting: (() => void)[] = [];
  const watch = watchFiles({
    clock: systemClock,
    debounceMs: DEBOUNCE_MS,
    pollMs,
    changed: () => {
      seen.calls += 1;
      for (const resolve of waiting.splice(0)) resolve();
    },
    onFault: (error) => {
      throw error;
    },
  });
  watches.push(watch);
  watch.know(digestsNow(...names));
  return {
    seen,
    watch,
    changed: () => new Promise<void>((resolve) => waiting.push(resolve)),
    know: () => {
      watch.know(digestsNow(...names));
    },
  };
};

/** Longer than the debounce time and the time to look. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5 * DEBOUNCE_MS));

it("calls once after several writes of a file", async () => {
  write("a.yaml", "1");
  const { changed, seen } = watching(["a.yaml"]);
  await settled();
  write("a.yaml", "2");
  write("a.yaml", "3");
  await changed();
  await settled();

  expect(seen.calls).toBe(1);
});

it("does not call for a file that is written with the same content, or set back in time", async () => {
  write("a.yaml", "1");
  const { seen } = watching(["a.yaml"]);
  await settled();
  write("a.yaml", "1");
  await settled();

  expect(seen.calls).toBe(0);
});

it("finds a change that happened before it knew the contents", async () => {
  write("a.yaml", "1");
  const { changed, watch } = watching(["a.yaml"]);
  await settled();
  watch.know(new Map([[at("a.yaml"), "another digest"]]));

  await expect(changed()).resolves.toBeUndefined();
});

it("finds each replacement of the file", async () => {
  write("a.yaml", "1");
  const { changed, know, seen } = watching(["a.yaml"]);
  await settled();
  for (const text of ["2", "3", "4"]) {
    write("new", text);
    renameSync(at("new"), at("a.yaml"));
    await changed();
    know();
    await settled();
  }

  expect(seen.calls).toBe(3);
});

it("finds that a file disappears, and that it is there again", async () => {
  write("a.yaml", "1");
  const { changed, know } = watching(["a.yaml"]);
  await settled();
  rmSync(at("a.yaml"));
  await changed();
  know();
  await settled();
  write("a.yaml", "1");

  await expect(changed()).resolves.toBeUndefined();
});

/** As the kubelet writes a ConfigMap or a Secret. */
const mount = (version: number): void => {
  const folder = `..version-${version}`;
  mkdirSync(at(folder));
  write(`${folder}/a.yaml`, `version ${version}`);
  symlinkSync(folder, at("..data_tmp"));
  renameSync(at("..data_tmp"), at("..data"));
  if (version > 1) rmSync(at(`..version-${version - 1}`), { recursive: true });
};

it("finds each replacement of a mounted ConfigMap, also the second and the third", async () => {
  mount(1);
  symlinkSync("..data/a.yaml", at("a.yaml"));
  const { changed, know, seen } = watching(["a.yaml"]);
  await settled();
  for (const version of [2, 3, 4]) {
    mount(version);
    await changed();
    know();
    await settled();
  }

  expect(seen.calls).toBe(3);
});

it("finds a change behind a link into another directory", async () => {
  mkdirSync(at("real"));
  mkdirSync(at("links"));
  write("real/a.yaml", "1");
  symlinkSync("../real/a.yaml", at("links/a.yaml"));
  const { changed } = watching(["links/a.yaml"]);
  await settled();
  write("real/a.yaml", "2");

  await expect(changed()).resolves.toBeUndefined();
});

it("is not held up by other files that are written all the time", async () => {
  write("a.yaml", "1");
  const { changed } = watching(["a.yaml"]);
  await settled();
  const log = setInterval(() => {
    write("gateway.log", String(Math.random()));
  }, DEBOUNCE_MS / 10);
  write("a.yaml", "2");
  await changed().finally(() => {
    clearInterval(log);
  });

  expect(readFileSync(at("a.yaml"), "utf8")).toBe("2");
});

it("finds that the directory was replaced", async () => {
  mkdirSync(at("settings"));
  write("settings/a.yaml", "1");
  const { changed, know } = watching(["settings/a.yaml"]);
  await settled();
  for (const text of ["2", "3"]) {
    renameSync(at("settings"), at(`old-${text}`));
    mkdirSync(at("settings"));
    write("settings/a.yaml", text);
    await changed();
    know();
  }

  expect(readFileSync(at("settings/a.yaml"), "utf8")).toBe("3");
});

it("waits for the end of the changes", async () => {
  write("a.yaml", "0");
  const delays: number[] = [];
  const clock = createClock((action, ms) => {
    if (ms === 1234) delays.push(ms);
    const timer = setTimeout(action, ms === 1234 ? NEVER_MS : ms);
    return {
      stop: () => {
        clearTimeout(timer);
      },
    };
  });
  const watch = watchFiles({
    clock,
    debounceMs: 1234,
    pollMs: 20,
    changed: () => undefined,
    onFault: () => undefined,
  });
  watches.push(watch);
  watch.know(digestsNow("a.yaml"));
  for (const begun of [1, 2, 3]) {
    write("a.yaml", String(begun));
    while (delays.length < begun) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  expect(delays).toHaveLength(3);
});

it.each(["the directory of the file", "the directory above it"])(
  "reports a directory that can't be watched only if it has files: %s",
  async (which) => {
    write("a.yaml", "1");
    const [refused, count] =
      which === "the directory above it" ? [path.dirname(directory), 0] : [directory, 1];
    const faults: unknown[] = [];
    const opened: string[] = [];
    const watch = watchFiles({
      clock: systemClock,
      ...{ debounceMs: DEBOUNCE_MS, pollMs: 20, changed: () => undefined },
      onFault: (error) => void faults.push(error),
      watchDirectory: (name) => {
        opened.push(name);
        if (name === refused) throw new Error("EACCES");
        return watchOfNode(name, { persistent: false });
      },
    });
    watches.push(watch);
    watch.know(digestsNow("a.yaml"));
    while (opened.filter((name) => name === refused).length < 2)
      await new Promise((resolve) => setTimeout(resolve, 10));

    expect(faults).toHaveLength(count);
  },
);

it("never calls after it is closed", async () => {
  write("a.yaml", "1");
  const { seen, watch } = watching(["a.yaml"], 20);
  await settled();
  write("a.yaml", "2");
  watch.close();
  await settled();

  expect(seen.calls).toBe(0);
});

import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { makeDirectory } from "../../../src/lib/file-system.ts";

describe("makeDirectory", () => {
  const root = mkdtempSync(path.join(tmpdir(), "stationgate-make-"));
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  it("creates the parents with the mode", () => {
    const directory = path.join(root, "a/b/c");
    makeDirectory(directory, 0o700);
    makeDirectory(directory, 0o700);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(root, "a")).isDirectory()).toBe(true);
  });

  it.each(["file", "file/below", "file/below/that"])(
    "fails with node's error at %s, which is no directory",
    (name) => {
      writeFileSync(path.join(root, "file"), "");
      expect(() => {
        makeDirectory(path.join(root, name));
      }).toThrow(/EEXIST|ENOTDIR/);
    },
  );

  it("fails if the parent refuses directories", () => {
    expect(() => {
      makeDirectory("/proc/stationgate/data");
    }).toThrow("ENOENT");
  });
});

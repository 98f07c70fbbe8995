import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { lockDirectory } from "../../src/lib/directory-lock.ts";

const newDirectory = (): string => mkdtempSync(path.join(tmpdir(), "lock-"));

it("creates the directory and gives the lock to one holder at a time", async () => {
  const directory = path.join(newDirectory(), "a", "b");
  const first = await lockDirectory(directory);
  expect(first.status).toBe("locked");
  expect(await lockDirectory(directory)).toEqual({ status: "in use" });
  if (first.status === "locked") await first.unlock();
  const again = await lockDirectory(directory);
  expect(again.status).toBe("locked");
  if (again.status === "locked") await again.unlock();
});

it("says why a directory cannot be used", async () => {
  const directory = newDirectory();
  writeFileSync(path.join(directory, "file"), "");
  expect(await lockDirectory(path.join(directory, "file", "below"))).toMatchObject({
    status: "unusable",
    fault: expect.stringMatching(/^cannot be created \(E/) as unknown,
  });
});

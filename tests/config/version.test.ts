import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { commitOf } from "../../src/config/version.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "ffffffffffffffffffffffffffffffffffffffff";

describe("the commit of a directory", () => {
  let folder: string;
  const commit = (): string | undefined => commitOf(pathToFileURL(`${folder}/`));
  const write = async (file: string, text: string): Promise<void> => {
    const target = path.join(folder, ".git", file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  };

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "stationgate-commit-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("is the commit of its branch", async () => {
    await write("HEAD", "ref: refs/heads/main\n");
    await write("refs/heads/main", `${COMMIT}\n`);

    expect(commit()).toBe(COMMIT);
  });

  it("is found if git has packed its branches", async () => {
    await write("HEAD", "ref: refs/heads/main\n");
    await write("packed-refs", `${OTHER} refs/heads/other\n${COMMIT} refs/heads/main\n`);

    expect(commit()).toBe(COMMIT);
  });

  it("is the commit of a detached head", async () => {
    await write("HEAD", `${COMMIT}\n`);

    expect(commit()).toBe(COMMIT);
  });

  it("is unknown without a repository", () => {
    expect(commit()).toBeUndefined();
  });
});

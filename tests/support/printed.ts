/** Files of the repository that are printed from its sources. A test keeps each equal; `npm run print` writes them. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { format, resolveConfig } from "prettier";

/** Compares the file with what it should say, formatted, or makes it say so when `PRINT=1`. */
export const expectPrinted = async (file: string, printed: string): Promise<void> => {
  const text = await format(printed, { ...(await resolveConfig(file)), filepath: file });
  if (process.env["PRINT"] === "1") {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  expect(await readFile(file, "utf8")).toBe(text);
};

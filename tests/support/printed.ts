/** Files of the repository that are generated from its sources. `npm run print` writes them, and a test compares them. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { format, resolveConfig } from "prettier";

/** Compares the file with the formatted text, or writes the text if `PRINT=1`. */
export const expectPrinted = async (file: string, printed: string): Promise<void> => {
  const text = await format(printed, { ...(await resolveConfig(file)), filepath: file });
  if (process.env["PRINT"] === "1") {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  expect(await readFile(file, "utf8")).toBe(text);
};

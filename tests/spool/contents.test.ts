/** The contents of the spool's directory, while other processes write, drain and delete. */
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readContents } from "../../src/spool/contents.ts";
import { spoolFiles, type SpoolFiles } from "../../src/spool/files.ts";
import type { TopicWriter } from "../../src/spool/topic-writer.ts";
import { newDirectory, readerAt, record, settle, takeAll, writerAt } from "./support.ts";

const TIME = 1_700_000_000_000;

const topicIn = (directory: string, folder: string, topic = "orders"): string =>
  path.join(directory, folder, "topics", topic);

const write = (writer: TopicWriter, ...values: readonly string[]) =>
  writer.append(values.map((value) => ({ record: record(value), isOpen: false })));

const read = (directory: string, files: SpoolFiles = spoolFiles) => readContents(directory, files);

const segmentsIn = (topic: string): readonly string[] =>
  readdirSync(topic)
    .sort()
    .map((name) => path.join(topic, name));

it("counts the events of all folders, topics and segments, and the bytes with refused/", async () => {
  const directory = newDirectory();
  expect(await read(directory)).toEqual({ bytes: 0, events: 0, oldest: undefined });
  const [first, second] = [topicIn(directory, "00000001-1-1"), topicIn(directory, "00000002-1-1", "hooks")];
  const writer = writerAt(first);
  await write(writer, "a", "b");
  writer.seal();
  await write(writer, "c");
  await write(writer, "d");
  await write(writerAt(second), "e");
  const refused = path.join(directory, "00000001-1-1", "refused");
  mkdirSync(refused);
  writeFileSync(path.join(refused, "orders.ndjson"), "{}\n");
  writeFileSync(path.join(directory, "owner.lock"), "no part of the spool");
  const bytes = [...segmentsIn(first), ...segmentsIn(second)].reduce(
    (total, name) => total + statSync(name).size,
    3,
  );
  expect(segmentsIn(first)).toHaveLength(2);
  expect(await read(directory)).toEqual({ bytes, events: 5, oldest: TIME });
});

it("does not count events that are done, before the cursor and behind it", async () => {
  const directory = newDirectory();
  const topic = topicIn(directory, "00000001-1-1");
  await write(writerAt(topic), "a", "b", "c", "d");
  const drainSome = async (values: readonly string[]): Promise<void> => {
    const { reader } = readerAt(topic);
    for (const event of await takeAll(reader))
      event.isDone = values.includes(event.entry.record.value?.toString() ?? "");
    await settle(reader);
    await reader.close();
  };
  await drainSome(["a", "c"]);
  expect(await read(directory)).toMatchObject({ events: 2, oldest: TIME });
  // Another drainer counts what the first one has noted.
  await drainSome(["b"]);
  expect(await read(directory)).toMatchObject({ events: 1 });
  await drainSome(["d"]);
  expect(await read(directory)).toEqual({ bytes: 0, events: 0, oldest: undefined });
});

it("leaves out what is removed meanwhile, and a segment without a whole head", async () => {
  const directory = newDirectory();
  const [gone, torn] = [topicIn(directory, "00000001-1-1"), topicIn(directory, "00000001-1-1", "torn")];
  await write(writerAt(gone), "a");
  await write(writerAt(torn), "b");
  truncateSync(segmentsIn(torn)[0] ?? "", 10);
  const files: SpoolFiles = {
    ...spoolFiles,
    open: (name) => {
      if (name.startsWith(gone)) rmSync(name);
      return spoolFiles.open(name);
    },
  };
  expect(await read(directory, files)).toEqual({ bytes: 10, events: 0, oldest: undefined });
  const broken = { ...spoolFiles, open: () => Promise.reject(new Error("i/o error")) };
  await expect(read(directory, broken)).rejects.toThrow("i/o error");
});

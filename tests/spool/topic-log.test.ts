/** The events of one topic in a folder: written, killed, cut, damaged, read, marked and deleted. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HEAD_BYTES } from "../../src/spool/segment.ts";
import type { TopicWriter } from "../../src/spool/topic-writer.ts";
import {
  createRoom,
  faultyFiles,
  newDirectory,
  readerAt,
  record,
  settle,
  takeAll,
  valuesOf,
  writerAt,
} from "./support.ts";

const write = (writer: TopicWriter, ...values: readonly string[]) =>
  writer.append(values.map((value) => ({ record: record(value), isOpen: false })));

const segmentsOf = (directory: string): readonly string[] => readdirSync(directory).sort();

/** Copies the only segment to another directory. */
const copyOf = (directory: string): { readonly copy: string; readonly file: string } => {
  const copy = newDirectory();
  const [name = ""] = segmentsOf(directory);
  copyFileSync(path.join(directory, name), path.join(copy, name));
  return { copy, file: path.join(copy, name) };
};

it("returns keys, values, headers, partitions, times and ids as they were", async () => {
  const directory = path.join(newDirectory(), "orders");
  const events = [
    { record: { ...record("a"), partition: 3, headers: [{ name: "ä", value: null }] }, isOpen: false },
    { record: { ...record(""), key: Buffer.alloc(0), value: null }, id: Buffer.from("id"), isOpen: false },
  ];
  await writerAt(directory).append(events);
  const taken = await takeAll(readerAt(directory).reader);
  expect(taken.map(({ entry }) => entry)).toEqual([
    { seq: 1, stamp: 1, time: 1_700_000_000_000, record: events[0]?.record },
    { seq: 2, stamp: 1, time: 1_700_000_000_000, record: events[1]?.record, id: Buffer.from("id") },
  ]);
});

it("returns exactly the whole events of a file that was cut at any byte", async () => {
  const directory = newDirectory();
  const values = ["first", "second", "third"];
  const writer = writerAt(directory);
  const ends: number[] = [];
  for (const value of values) {
    await write(writer, value);
    ends.push(readFileSync(path.join(directory, segmentsOf(directory)[0] ?? "")).length);
  }
  const size = ends.at(-1) ?? 0;
  for (let cut = 0; cut <= size; cut += 1) {
    const { copy, file } = copyOf(directory);
    truncateSync(file, cut);
    const { reader, state } = readerAt(copy);
    const whole = ends.filter((end) => end <= cut).length;
    expect(valuesOf(await takeAll(reader))).toEqual(values.slice(0, whole));
    const isTorn = cut > HEAD_BYTES && !ends.includes(cut);
    expect(state.damages.map(({ isTail }) => isTail)).toEqual(isTorn ? [true] : []);
    await reader.close();
  }
});

it("loses only the event whose bytes are damaged, at any byte", async () => {
  const directory = newDirectory();
  const writer = writerAt(directory);
  await write(writer, "first");
  const from = readFileSync(path.join(directory, segmentsOf(directory)[0] ?? "")).length;
  await write(writer, "second");
  const to = readFileSync(path.join(directory, segmentsOf(directory)[0] ?? "")).length;
  await write(writer, "third");
  for (let at = from; at < to; at += 1) {
    const { copy, file } = copyOf(directory);
    const bytes = readFileSync(file);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    writeFileSync(file, bytes);
    const { reader, state } = readerAt(copy);
    const values = valuesOf(await takeAll(reader));
    // The byte of the state is outside the checksum: an unknown state counts as kept.
    const isState = at === from + 12;
    expect(values).toEqual(isState ? ["first", "second", "third"] : ["first", "third"]);
    expect(state.damages).toEqual(isState ? [] : [{ at: from, isTail: false }]);
    await reader.close();
  }
});

it("returns only what is not done after a kill of the reader", async () => {
  const directory = newDirectory();
  await write(writerAt(directory), "a", "b", "c", "d", "e");
  const first = readerAt(directory).reader;
  for (const event of await takeAll(first))
    event.isDone = ["a", "b", "d"].includes(valuesOf([event])[0] ?? "");
  await settle(first);
  expect(valuesOf(await takeAll(first))).toEqual(["c", "e"]);
  expect(valuesOf(await takeAll(readerAt(directory).reader))).toEqual(["c", "e"]);
});

it("deletes each segment whose events are done, and gives its bytes back", async () => {
  const directory = path.join(newDirectory(), "orders");
  const room = createRoom(10_000);
  const writer = writerAt(directory, { segmentBytes: 100, room });
  for (const value of ["a", "b", "c", "d", "e"]) await write(writer, value);
  expect(segmentsOf(directory).length).toBeGreaterThan(2);
  const { reader, state } = readerAt(directory, { room, isLive: true, isWritten: true });
  for (const event of await takeAll(reader)) event.isDone = true;
  await settle(reader);
  // The writer still writes to the last one.
  expect(segmentsOf(directory)).toHaveLength(1);
  await write(writer, "f");
  await writer.close();
  state.isLive = state.isWritten = false;
  const rest = await takeAll(reader);
  expect(valuesOf(rest)).toEqual(["f"]);
  for (const event of rest) event.isDone = true;
  await settle(reader);
  expect([reader.isFinished, room.usedBytes]).toEqual([true, 0]);
  expect(readdirSync(path.dirname(directory))).toEqual([]);
});

it("waits for the outcome of an open event, and drops it if Kafka has it", async () => {
  const directory = newDirectory();
  const writer = writerAt(directory);
  const [first, second] = await writer.append([
    { record: record("a"), isOpen: true },
    { record: record("b"), isOpen: true },
    { record: record("c"), isOpen: false },
  ]);
  const { reader } = readerAt(directory, { isLive: true, isWritten: true });
  expect(valuesOf(await takeAll(reader))).toEqual([]);
  first?.settle(true);
  second?.settle(false);
  await writer.close();
  const ended = async (): Promise<readonly string[]> => {
    const values = valuesOf(await takeAll(reader));
    await settle(reader);
    return values.length > 0 ? values : ended();
  };
  expect(await ended()).toEqual(["b", "c"]);
});

it("keeps the open events of a process that was killed", async () => {
  const directory = newDirectory();
  await writerAt(directory).append([{ record: record("a"), isOpen: true }]);
  expect(valuesOf(await takeAll(readerAt(directory).reader))).toEqual(["a"]);
});

it("reads events that are larger than a chunk", async () => {
  const directory = newDirectory();
  const large = "x".repeat(100_000);
  await write(writerAt(directory), "a", large, "b");
  const { reader } = readerAt(directory);
  const values: string[] = [];
  for (let some = await takeAll(reader, 100); some.length > 0; some = await takeAll(reader, 100)) {
    values.push(...valuesOf(some));
    for (const event of some) event.isDone = true;
    await settle(reader);
  }
  expect(values.map(({ length }) => length)).toEqual([1, 100_000, 1]);
});

it("refuses events above the size of the spool, and takes others when there is room again", async () => {
  const directory = newDirectory();
  const room = createRoom(1000);
  const writer = writerAt(directory, { room });
  await write(writer, "x".repeat(500));
  await expect(write(writer, "x".repeat(500))).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  room.give(600);
  await write(writer, "y");
  expect(valuesOf(await takeAll(readerAt(directory).reader)).map(({ length }) => length)).toEqual([500, 1]);
});

it("keeps all stored events and no byte of the others when the disk is full at any byte", async () => {
  for (let space = 0; space < 500; space += 1) {
    const directory = path.join(newDirectory(), "orders");
    const faults = { left: space, flushFails: false };
    const room = createRoom(Infinity);
    const writer = writerAt(directory, { files: faultyFiles(faults), room });
    const stored: string[] = [];
    for (const value of ["a", "b", "c", "d"])
      await write(writer, value).then(
        () => stored.push(value),
        (error: unknown) => {
          expect(error).toMatchObject({ code: "BROKER_UNAVAILABLE" });
        },
      );
    faults.left = Infinity;
    await write(writer, "e");
    await writer.close();
    const { reader } = readerAt(directory, { room });
    const taken = await takeAll(reader);
    expect(valuesOf(taken)).toEqual([...stored, "e"]);
    for (const event of taken) event.isDone = true;
    await settle(reader);
    expect([reader.isFinished, room.usedBytes]).toEqual([true, 0]);
  }
}, 60_000);

it("says that an event may be stored if the flush fails, and goes on in another segment", async () => {
  const directory = path.join(newDirectory(), "orders");
  const faults = { left: Infinity, flushFails: true };
  const writer = writerAt(directory, { files: faultyFiles(faults) });
  await expect(write(writer, "a")).rejects.toMatchObject({ code: "BROKER_AMBIGUOUS" });
  faults.flushFails = false;
  await write(writer, "b");
  mkdirSync(directory, { recursive: true });
  expect(segmentsOf(directory)).toHaveLength(2);
  expect(valuesOf(await takeAll(readerAt(directory).reader))).toContain("b");
});

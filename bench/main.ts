/** `npm run bench`: measures the subjects and their references alternately in several rounds; see docs/performance.md. */
import { mkdir, writeFile } from "node:fs/promises";
import { circumstances } from "./circumstances.ts";
import { parseFlags } from "./flags.ts";
import type { Measurement, Subject } from "./measurement.ts";
import { report } from "./report.ts";
import { mediansOf, resultOf } from "./results.ts";
import { rowsNamed, type Row } from "./rows.ts";
import { createStage, type Stage } from "./stage.ts";
import { deliverySubjects } from "./subjects/delivery.ts";
import { avroSubjects } from "./subjects/avro.ts";
import { filterSubjects } from "./subjects/filters.ts";
import { podSubjects } from "./subjects/pods.ts";
import { gatewaySubjects } from "./subjects/gateway.ts";
import { onceSubjects } from "./subjects/once.ts";
import { readingSubjects } from "./subjects/reading.ts";
import { referenceSubjects } from "./subjects/references.ts";
import { spoolSubjects } from "./subjects/spool.ts";
import { streamSubjects } from "./subjects/streams.ts";
import { waitingSubjects } from "./subjects/waiting.ts";

const RESULTS = "bench/results";

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Each subject of the rows once. The references of a row follow it. */
const subjectsOf = (rows: readonly Row[], stage: Stage): readonly Subject[] => {
  const all = [
    ...gatewaySubjects(stage),
    ...podSubjects(stage),
    ...onceSubjects(stage),
    ...spoolSubjects(stage),
    ...deliverySubjects(stage),
    ...filterSubjects(),
    ...streamSubjects(stage),
    ...avroSubjects(stage),
    ...readingSubjects(stage),
    ...waitingSubjects(stage),
    ...referenceSubjects(stage),
  ];
  const wanted = new Set(rows.flatMap(({ name, ratios }) => [name, ...ratios.map(({ to }) => to)]));
  return [...wanted].flatMap((name) => all.filter((subject) => subject.name === name));
};

const measured = async (subject: Subject, seconds: number): Promise<Measurement> => {
  try {
    return await subject.measure(seconds);
  } catch (error) {
    return { faults: [String(error)] };
  }
};

/** Every second round has the reverse order, so that no subject always follows the same other subject. */
const measureAll = async (
  subjects: readonly Subject[],
  rounds: number,
  seconds: number,
): Promise<ReadonlyMap<string, readonly Measurement[]>> => {
  const runs = new Map(subjects.map(({ name }) => [name, [] as Measurement[]]));
  for (let round = 1; round <= rounds; round++) {
    for (const subject of round % 2 === 1 ? subjects : subjects.toReversed()) {
      const measurement = await measured(subject, seconds);
      runs.get(subject.name)?.push(measurement);
      const { faults, ...figures } = measurement;
      const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      say(`round ${round}/${rounds} ${subject.name}: ${[...shown, ...faults].join(", ")}`);
    }
  }
  return runs;
};

const flags = parseFlags(process.argv.slice(2));
const rows = rowsNamed(flags.rows);
const stage = await createStage(flags);
try {
  const runs = await measureAll(subjectsOf(rows, stage), flags.rounds, flags.seconds);
  const results = rows.map((row) => resultOf(row, runs));
  const subjects = Object.fromEntries(
    [...runs].map(([name, rounds]) => [name, { median: mediansOf(rounds), rounds }]),
  );
  const around = await circumstances(stage.loadTool.name);
  await mkdir(RESULTS, { recursive: true });
  const file = `${RESULTS}/${around.date.replaceAll(/[:.]/g, "-")}-${around.commit}.json`;
  await writeFile(file, `${JSON.stringify({ ...around, flags, rows: results, subjects }, null, 2)}\n`);
  process.stdout.write(`${report(results, subjects)}\n\n${file}\n`);
  if (results.some((row) => row.void.length > 0)) process.exitCode = 1;
} finally {
  await stage.stop();
}

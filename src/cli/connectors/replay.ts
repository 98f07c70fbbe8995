/** Dead letters sent once more, and watched until none is left. */
import { setTimeout as sleep } from "node:timers/promises";
import { demand, parsed, type Client } from "../client.ts";
import type { Exit } from "../exits.ts";
import type { Shell } from "../shell.ts";
import { deadLettersShape, type DeadLetters } from "./views.ts";

interface ReplayOptions {
  readonly json?: boolean;
  readonly wait?: boolean;
}

/** Milliseconds between two looks. */
const LOOK_EVERY = 250;

export const replay = async (
  shell: Shell,
  client: Client,
  path: string,
  { json = false, wait = false }: ReplayOptions,
): Promise<Exit> => {
  const interruption = shell.interruption();
  let letters = parsed(deadLettersShape, await demand(client, { method: "POST", path: `${path}/replay` }));
  const total = letters.records;
  let told = letters.records;
  while (wait && letters.replaying && !interruption.aborted) {
    await sleep(LOOK_EVERY, undefined, { signal: interruption }).catch(() => undefined);
    letters = parsed(deadLettersShape, await demand(client, { method: "GET", path }));
    if (letters.records !== told) shell.note(`${total - letters.records} of ${total} dealt with`);
    told = letters.records;
  }
  await shell.out(json ? JSON.stringify({ ...letters, total }) : inWords(letters, total));
  if (interruption.aborted && letters.replaying) return "interrupted";
  return wait && letters.records > 0 ? "failed" : "ok";
};

const inWords = ({ topic, records, replaying }: DeadLetters, total: number): string => {
  if (total === 0) return `no dead letters in ${topic}`;
  if (replaying) return `replaying ${records} dead letters of ${topic}`;
  return `${total - records} of ${total} dead letters of ${topic} are dealt with`;
};

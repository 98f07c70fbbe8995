/** Connectors as the gateway shows them, and as people read them. */
import { z } from "zod";

export const statusShape = z.looseObject({
  name: z.string(),
  connector: z.looseObject({ state: z.string() }),
  tasks: z.array(z.looseObject({ id: z.number(), state: z.string(), trace: z.string().optional() })),
});

export type Status = z.output<typeof statusShape>;

export const statusesShape = z.record(z.string(), z.object({ status: statusShape }));

export const infoShape = z.looseObject({ name: z.string(), config: z.record(z.string(), z.string()) });

export const deadLettersShape = z.object({ topic: z.string(), records: z.number(), replaying: z.boolean() });

export type DeadLetters = z.output<typeof deadLettersShape>;

/** A task's state is the connector's own unless it has failed. */
const stateOf = ({ connector, tasks }: Status): string =>
  tasks.some(({ state }) => state === "FAILED") ? "FAILED" : connector.state;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** Name and state in columns; a failed one has its reason beneath. */
export const statusTable = (statuses: readonly Status[]): readonly string[] => {
  const width = Math.max(0, ...statuses.map(({ name }) => name.length));
  return statuses.flatMap((status) => {
    const trace = status.tasks.find((task) => task.trace !== undefined)?.trace;
    const line = `${status.name.padEnd(width)}  ${stateOf(status)}`;
    return trace === undefined ? [line] : [line, `  ${firstLine(trace)}`];
  });
};

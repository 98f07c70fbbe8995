/** Child processes of a sandbox that do what a test says. */
import type {
  ChildEvents,
  StartChild,
} from "../../../../src/delivery/expressions/transform/child-process.ts";
import { createFrameReader, readJobFrame } from "../../../../src/delivery/expressions/transform/frames.ts";

export interface FakeChild {
  /** The jobs that it was sent and has not answered: their expressions and values. */
  readonly jobs: readonly (readonly [expression: string, value: string])[];
  readonly isKilled: boolean;
  readonly variables: unknown;
  ready(): void;
  done(json: string): void;
  failed(reason: string): void;
  end: ChildEvents["onEnd"];
  /** What the system says about its CPU, in milliseconds. */
  cpuMs: number | undefined;
}

const answer = (kind: string, content: string): Buffer =>
  Buffer.concat([Buffer.from(`${kind}\0\0\0\0`), Buffer.from(content)]);

export const createFakeChildren = (): { readonly children: FakeChild[]; readonly start: StartChild } => {
  const children: FakeChild[] = [];
  const start: StartChild = (_, { onFrame, onEnd }) => {
    const jobs: (readonly [string, string])[] = [];
    let isKilled = false;
    let variables: unknown;
    const read = createFrameReader((frame) => {
      const { description, value } = readJobFrame(frame);
      jobs.push([description.expression, value.toString()]);
      variables = description.variables;
    });
    const settle = (kind: string, content: string): void => {
      jobs.shift();
      onFrame(answer(kind, content));
    };
    const child: FakeChild = {
      jobs,
      get isKilled() {
        return isKilled;
      },
      get variables() {
        return variables;
      },
      ready: () => {
        onFrame(answer("r", ""));
      },
      done: (json) => {
        settle("d", json);
      },
      failed: (reason) => {
        settle("f", reason);
      },
      end: onEnd,
      cpuMs: undefined,
    };
    children.push(child);
    return {
      send: (parts) => {
        for (const part of parts) read(part);
      },
      cpuMs: () => child.cpuMs,
      received: () => 0,
      kill: () => {
        isKilled = true;
      },
    };
  };
  return { children, start };
};

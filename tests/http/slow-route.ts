/** A route whose answers the test sends. */
import type { ServerResponse } from "node:http";
import type { Route } from "../../src/http/routes.ts";

/** `GET /slow`. Each call of `answer` answers the oldest pending request. */
export const slowRoute = () => {
  const pending: ServerResponse[] = [];
  const watchers = new Set<() => void>();
  let times = 0;
  const route: Route = {
    method: "GET",
    path: "/slow",
    auth: "none",
    family: "problem",
    documentation: undefined,
    handler: ({ response }) => {
      pending.push(response);
      times += 1;
      for (const watcher of watchers) watcher();
    },
  };
  const askedTimes = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (times >= wanted) resolve();
      };
      watchers.add(check);
      check();
    });
  return {
    route,
    askedTimes,
    get asked() {
      return askedTimes(1);
    },
    answer: () => pending.shift()?.end("slow answer"),
  };
};

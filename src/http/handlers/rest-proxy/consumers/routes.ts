/** The routes of consumer instances. */
import type { ClientRoute } from "../../../routes.ts";
import * as calls from "./calls.ts";
import * as documentation from "./documentation.ts";

const GROUP = "/consumers/:group";
const INSTANCE = `${GROUP}/instances/:instance`;

/** Every path below; the REST Proxy's routes refuse its other methods. */
export const CONSUMER_PATHS = [
  GROUP,
  INSTANCE,
  `${INSTANCE}/subscription`,
  `${INSTANCE}/assignments`,
  `${INSTANCE}/positions`,
  `${INSTANCE}/positions/beginning`,
  `${INSTANCE}/positions/end`,
  `${INSTANCE}/records`,
  `${INSTANCE}/offsets`,
] as const;

type Row = readonly [
  method: "GET" | "POST" | "DELETE",
  path: (typeof CONSUMER_PATHS)[number],
  documentation: ClientRoute["documentation"],
  make: (dependencies: calls.ConsumerDependencies) => calls.Handler,
];

const ROWS: readonly Row[] = [
  ["GET", `${INSTANCE}/records`, documentation.readRecords, calls.readRecords],
  ["POST", `${INSTANCE}/offsets`, documentation.commit, calls.commit],
  ["GET", `${INSTANCE}/offsets`, documentation.showCommitted, calls.showCommitted],
  ["POST", GROUP, documentation.createInstance, calls.createInstance],
  ["DELETE", INSTANCE, documentation.deleteInstance, calls.deleteInstance],
  ["POST", `${INSTANCE}/subscription`, documentation.subscribe, calls.subscribe],
  ["GET", `${INSTANCE}/subscription`, documentation.showSubscription, calls.showSubscription],
  ["DELETE", `${INSTANCE}/subscription`, documentation.unsubscribe, calls.unsubscribe],
  ["POST", `${INSTANCE}/assignments`, documentation.assign, calls.assign],
  ["GET", `${INSTANCE}/assignments`, documentation.showAssignment, calls.showAssignment],
  ["POST", `${INSTANCE}/positions`, documentation.seek, calls.seek],
  ["POST", `${INSTANCE}/positions/beginning`, documentation.seekToBeginning, calls.seekToBeginning],
  ["POST", `${INSTANCE}/positions/end`, documentation.seekToEnd, calls.seekToEnd],
];

export const consumerRoutes = (dependencies: calls.ConsumerDependencies): readonly ClientRoute[] =>
  ROWS.map(([method, path, words, make]) => ({
    method,
    path,
    family: "rest-proxy",
    auth: "client",
    documentation: words,
    handler: make(dependencies),
  }));

/** `/consumers/:group…`: consumer instances of the v2 API. Each call is checked here and answered by the home of its group. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  groupOfInstance,
  mayRead,
  readingForbidden,
  stationForbidden,
} from "../../../../auth/permissions.ts";
import { type Principal, principalId } from "../../../../auth/principal.ts";
import {
  type Arguments,
  ASSIGNMENT_MS,
  type InstanceCall,
  LONGEST_TIMEOUT_MS,
  type NamedPartition,
  type Operation,
  V2_PATH,
} from "../../../../consume/instances/requests.ts";
import { GatewayError } from "../../../../errors.ts";
import type { AuthorisedCall } from "../../../call.ts";
import type { ReadBody } from "../../../middleware/body/body.ts";
import { forward, type ForwardOptions } from "../../../peer-answer.ts";
import { pathParameter, queryOf } from "../../../url.ts";
import { acceptedTypes } from "./accept.ts";
import {
  commitShape,
  createRequestOf,
  maxBytesOf,
  partitionsInQuery,
  partitionsShape,
  positionsShape,
  readDocument,
  shapeInvalid,
  shapeOf,
  subscriptionShape,
  timeoutOf,
} from "./bodies.ts";
import { instanceUrl } from "./instance-url.ts";
import { type KnownStations, namedTopics, withTopics } from "./topics.ts";

export interface ConsumerDependencies {
  readonly stations: KnownStations;
  readonly readBody: ReadBody;
  /** Absent: this gateway has no homes, and nobody may read. */
  readonly instances: InstanceOptions | undefined;
}

export interface InstanceOptions extends ForwardOptions {
  /** Base of the URLs of instances. Absent: the URL by which the client reaches the gateway. */
  readonly baseUri?: string | undefined;
  /** Milliseconds that a read waits, if the instance does not say. */
  readonly requestTimeout: number;
  /** True if a schema registry is configured. */
  readonly hasRegistry: boolean;
}

export type Handler = (call: AuthorisedCall) => Promise<void>;

/** Makes the arguments of an operation; `waitMs` is the time that the home may need for it. */
type Prepare<O extends Operation> = (
  call: AuthorisedCall,
  options: InstanceOptions,
) => Promise<{
  readonly arguments: Arguments<O>;
  readonly instance?: string;
  readonly waitMs?: number;
  /** The call's arguments if this process ends while the call waits. */
  readonly hurried?: Arguments<O>;
}>;

/** Milliseconds for the work of the home itself. */
const WORK_MS = 5000;

const handler =
  <O extends Operation>(
    { instances: options }: ConsumerDependencies,
    operation: O,
    prepare: Prepare<O>,
  ): Handler =>
  async (call) => {
    const { principal, request } = call;
    const named = pathParameter(request, "group");
    if (options === undefined) throw new GatewayError("ADMINISTRATION_DISABLED");
    const group = groupFor(principal, named);
    const prepared = await prepare(call, options);
    const instance = prepared.instance ?? pathParameter(request, "instance");
    const requestOf = (by: Principal, given: Arguments<O>, waitMs: number) => {
      const from: InstanceCall = { owner: principalId(by), readable: readableOf(by), group, instance };
      return {
        path: `${V2_PATH}${operation}`,
        body: Buffer.from(JSON.stringify({ ...from, arguments: given })),
        waitMs: waitMs + ASSIGNMENT_MS + WORK_MS,
      };
    };
    const { hurried, waitMs = 0 } = prepared;
    await forward(call, options, group, {
      request: requestOf(principal, prepared.arguments, waitMs),
      ...(hurried === undefined
        ? undefined
        : { hurried: (renewed: Principal) => requestOf(renewed, hurried, 0) }),
      require: (renewed) => {
        groupFor(renewed, named);
        // The home knows the stations of the instance.
        return isDeepStrictEqual(readableOf(renewed), readableOf(principal)) ? undefined : "hurry";
      },
    }).catch((error: unknown) => {
      throw withCause(error, principal);
    });
  };

/** The home does not know whether the token of the principal is complete. */
const withCause = (error: unknown, principal: Principal): unknown =>
  error instanceof GatewayError && error.code === "STATION_FORBIDDEN"
    ? stationForbidden(principal, error.message)
    : error;

const readableOf = ({ readable = [[]] }: Principal) => readable;

/** The group of the path. Throws ADMINISTRATION_DISABLED for a principal that may read nothing, and GROUP_FORBIDDEN. */
const groupFor = (principal: Principal, named: string): string => {
  if (!mayRead(principal)) throw readingForbidden(principal);
  return groupOfInstance(principal, named);
};

type Make = (dependencies: ConsumerDependencies) => Handler;

const newName = (): string => `rest-consumer-${randomUUID()}`;

export const createInstance: Make = (dependencies) =>
  handler(dependencies, "create", async (call, { baseUri, requestTimeout, hasRegistry }) => {
    const body = await readDocument(call, dependencies.readBody);
    const { name: instance = newName(), settings } = createRequestOf(body, {
      defaultTimeoutMs: requestTimeout,
      hasRegistry,
    });
    const group = pathParameter(call.request, "group");
    const url = instanceUrl(call.request, { baseUri, group, instance });
    return { instance, arguments: { settings, baseUri: url, requestId: randomUUID() } };
  });

const withoutArguments =
  (operation: "delete" | "subscription" | "unsubscribe" | "assignment"): Make =>
  (dependencies) =>
    handler(dependencies, operation, () => Promise.resolve({ arguments: {} }));

export const deleteInstance = withoutArguments("delete");
export const showSubscription = withoutArguments("subscription");
export const unsubscribe = withoutArguments("unsubscribe");
export const showAssignment = withoutArguments("assignment");

export const subscribe: Make = (dependencies) =>
  handler(dependencies, "subscribe", async (call) => {
    const body = shapeOf(subscriptionShape, await readDocument(call, dependencies.readBody));
    const { topics, topic_pattern: pattern } = body;
    if (topics == null && pattern == null) throw shapeInvalid("The body must have topics or topic_pattern");
    if (topics != null && pattern != null)
      throw new GatewayError("INSTANCE_CONFLICT", {
        message: "A subscription has topics or topic_pattern, not both",
      });
    if (pattern != null) return { arguments: { pattern } };
    const named = await namedTopics(call, dependencies.stations, topics ?? []);
    return { arguments: { topics: [...named.values()] } };
  });

const partitionsOf = async (
  call: AuthorisedCall,
  { readBody, stations }: ConsumerDependencies,
): Promise<{ readonly arguments: { readonly partitions: readonly NamedPartition[] } }> => {
  const { partitions } = shapeOf(partitionsShape, await readDocument(call, readBody));
  return { arguments: { partitions: await withTopics(call, stations, partitions) } };
};

const withPartitions =
  (operation: "assign" | "beginning" | "end"): Make =>
  (dependencies) =>
    handler(dependencies, operation, (call) => partitionsOf(call, dependencies));

export const assign = withPartitions("assign");
export const seekToBeginning = withPartitions("beginning");
export const seekToEnd = withPartitions("end");

export const seek: Make = (dependencies) =>
  handler(dependencies, "seek", async (call) => {
    const body = shapeOf(positionsShape, await readDocument(call, dependencies.readBody));
    const { stations } = dependencies;
    const offsets = await withTopics(call, stations, body.offsets ?? []);
    const timestamps = await withTopics(call, stations, body.timestamps ?? []);
    return {
      arguments: {
        offsets: offsets.map(({ offset, ...at }) => ({ ...at, offset: String(offset) })),
        timestamps: timestamps.map(({ timestamp, ...at }) => ({ ...at, timestamp: Date.parse(timestamp) })),
      },
    };
  });

export const readRecords: Make = (dependencies) =>
  handler(dependencies, "records", (call) => {
    const query = queryOf(call.request);
    const [timeout, maxBytes] = [query.get("timeout"), query.get("max_bytes")];
    const timeoutMs = timeout === null ? undefined : timeoutOf("timeout", timeout);
    const given = {
      accept: acceptedTypes(call.request.headers.accept),
      ...(maxBytes === null ? undefined : { maxBytes: maxBytesOf(maxBytes) }),
    };
    return Promise.resolve({
      // The home knows the timeout of the instance.
      waitMs: timeoutMs ?? LONGEST_TIMEOUT_MS,
      arguments: { ...given, ...(timeoutMs === undefined ? undefined : { timeoutMs }) },
      hurried: { ...given, timeoutMs: 0 },
    });
  });

export const commit: Make = (dependencies) =>
  handler(dependencies, "commit", async (call) => {
    const body = shapeOf(commitShape, (await readDocument(call, dependencies.readBody)) ?? {});
    if (body.offsets == null) return { arguments: {} };
    const offsets = await withTopics(call, dependencies.stations, body.offsets);
    return {
      arguments: {
        offsets: offsets.map(({ offset, metadata, ...at }) => ({
          ...at,
          offset: String(offset),
          metadata: metadata ?? "",
        })),
      },
    };
  });

export const showCommitted: Make = (dependencies) =>
  handler(dependencies, "committed", async (call) => {
    const query = queryOf(call.request).get("partitions");
    const body = query === null ? await readDocument(call, dependencies.readBody) : partitionsInQuery(query);
    if (body === undefined)
      throw new GatewayError("PARTITION_UNKNOWN", { message: "The call names no partitions" });
    const { partitions } = shapeOf(partitionsShape, body);
    return { arguments: { partitions: await withTopics(call, dependencies.stations, partitions) } };
  });

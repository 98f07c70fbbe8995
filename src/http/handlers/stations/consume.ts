/** `POST /stations/:name/consume/batch`: the next events of a consumer group. */
import { z } from "zod";
import { groupOf } from "../../../auth/permissions.ts";
import { unauthorized } from "../../../auth/principal.ts";
import type { Pull } from "../../../consume/waiting-pull.ts";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { parseDocument } from "../../../ingest/content/json.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { AuthorisedCall } from "../../call.ts";
import { wasTaken } from "../../taken.ts";
import { sendEvents } from "./consumed-events.ts";
import type { StationRouteDependencies } from "./dependencies.ts";
import { stationOf, toConsume } from "./station-of.ts";

type Dependencies = Pick<StationRouteDependencies, "stations" | "consumers" | "readBody" | "streams">;

const MAX_BATCH = 5000;
/** Longer waits than this, in milliseconds, are shortened: no proxy in between would sit through them. */
const LONGEST_WAIT = 300_000;

/** What a client asks for. */
export const wanted = z.object({
  consumer_name: z.string().nullish(),
  consumer_group: z.string().max(249).nullish(),
  batch_size: z.int().nullish(),
  batch_max_wait_time_ms: z.int().min(0).nullish(),
  /** Beyond the original: where a group begins that has no position yet. */
  from: z.enum(["earliest", "latest"]).nullish(),
});

export const consumeBatch = ({ stations, consumers, readBody, streams: { clock } }: Dependencies) => {
  const lookup = toConsume(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { response, principal, facts } = call;
    const station = await stationOf(call, lookup);
    const { consumer, group, from, maxRecords, waitMs } = parse(await readJson(call, readBody));

    const presence = presenceOf(call, clock);
    const pull = await presence.during(
      consumers.pull({
        owner: `${principal.kind} ${principal.name}`,
        group: groupOf(principal, group),
        consumer,
        topic: station.topic,
        from,
        maxRecords,
        waitMs,
        signal: presence.signal,
      }),
    );
    if (presence.signal.aborted) {
      pull.release();
      return;
    }
    // Counted as consumed once the answer has left, and not before: an answer that nobody got comes again.
    void wasTaken(response).then((taken) => {
      if (taken) void pull.consume();
      else pull.release();
    });
    facts.consumed = pull.texts.length;
    await sendEvents(response, pull.texts, clock);
  };
};

/** Is the client still there, and its credential still good? */
interface Presence {
  /** Aborted when one of the two is over. */
  readonly signal: AbortSignal;
  /** The pull, or UNAUTHORIZED if the credential expires while it waits; what the pull has then is released. */
  during(pull: Promise<Pull>): Promise<Pull>;
}

const presenceOf = ({ response, principal: { expires } }: AuthorisedCall, clock: Clock): Presence => {
  const over = new AbortController();
  let expired = false;
  response.once("close", () => {
    over.abort();
  });
  const cancel =
    expires === undefined
      ? undefined
      : clock.after(Math.max(0, expires - clock.now()), () => {
          expired = true;
          over.abort();
        });
  return {
    signal: over.signal,
    during: async (pulling) => {
      const [ended] = await Promise.allSettled([pulling]);
      cancel?.();
      if (expired) {
        if (ended.status === "fulfilled") ended.value.release();
        throw unauthorized("expired api key");
      }
      if (ended.status === "rejected") throw ended.reason;
      return ended.value;
    },
  };
};

const readJson = async (
  { request }: AuthorisedCall,
  readBody: Dependencies["readBody"],
): Promise<unknown> => {
  if (mediaTypeOf(request.headers["content-type"] ?? "") !== "application/json")
    throw new GatewayError("REQUEST_INVALID");
  const body = await readBody(request);
  try {
    return parseDocument(body);
  } catch (cause) {
    throw new GatewayError("REQUEST_INVALID", { cause });
  }
};

interface Wanted {
  readonly consumer: string;
  readonly group: string | undefined;
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  readonly waitMs: number;
}

const parse = (body: unknown): Wanted => {
  const { success, data } = wanted.safeParse(body);
  if (!success) throw new GatewayError("REQUEST_INVALID");
  const maxRecords = data.batch_size ?? 10;
  if (!data.consumer_name)
    throw new GatewayError("REQUEST_INVALID", { message: "Consumer name is required" });
  if (maxRecords > MAX_BATCH || maxRecords < 1) {
    throw new GatewayError("REQUEST_INVALID", {
      message: `Batch size can not be greater than ${MAX_BATCH} or less than 1`,
    });
  }
  return {
    consumer: data.consumer_name,
    group: data.consumer_group === "" ? undefined : (data.consumer_group ?? undefined),
    from: data.from ?? "earliest",
    maxRecords,
    waitMs: Math.min(data.batch_max_wait_time_ms ?? 5000, LONGEST_WAIT),
  };
};

/** The subjects of a station with `once`: each event has a new id. */
import { batchBody, EVENT_WITH_ID } from "../load/events.ts";
import type { Subject } from "../measurement.ts";
import type { Stage } from "../stage.ts";
import { produceSubject } from "./produce.ts";

interface OnceRow {
  readonly name: string;
  readonly route: "single" | "batch";
  readonly connections: number;
  readonly eventsPerRequest: number;
  readonly body: string;
}

const onceSubject = (stage: Stage, row: OnceRow): Subject => {
  const { name, route, connections, eventsPerRequest, body } = row;
  return produceSubject({
    ...{ name, body, eventsPerRequest },
    path: `/stations/${name}/produce/${route}`,
    contentType: "application/json",
    mostInFlight: connections,
    load: (request, seconds) => stage.loadTool.load(request, { connections, seconds }),
    target: async () => {
      if (!stage.loadTool.name.startsWith("wrk")) throw new Error("only wrk makes an id for each event");
      const kafka = await stage.kafka();
      await kafka.createTopic(name);
      const stations = [{ name, once: { id: "/id", window: "1h" } }];
      return { gateway: await stage.freshGateway({ more: { stations } }), logEnd: () => kafka.logEnd(name) };
    },
  });
};

export const onceSubjects = (stage: Stage): readonly Subject[] => [
  onceSubject(stage, {
    ...{ name: "once-1", route: "single", connections: 1, eventsPerRequest: 1 },
    body: EVENT_WITH_ID,
  }),
  onceSubject(stage, {
    ...{ name: "once-batch-100", route: "batch", connections: 16, eventsPerRequest: 100 },
    body: batchBody(100, EVENT_WITH_ID),
  }),
];

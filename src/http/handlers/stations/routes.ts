/** `/stations/:name/…`: the produce and consume routes of the Memphis REST gateway, and the streams in both directions. */
import * as documentation from "./documentation.ts";
import type { ClientRoute } from "../../routes.ts";
import { produceBatch, produceSingle } from "./produce.ts";
import { consumeBatch } from "./consume.ts";
import { consumeStream, type ConsumeStreamDependencies } from "./consume-stream.ts";
import type { StationRouteDependencies } from "./station-of.ts";
import { produceStream } from "./stream.ts";

export const stationRoutes = (
  dependencies: StationRouteDependencies & ConsumeStreamDependencies,
): readonly ClientRoute[] => {
  const row = { method: "POST", family: "stations", auth: "client" } as const;
  return [
    {
      ...row,
      path: "/stations/:name/produce/single",
      documentation: documentation.produceSingle,
      handler: produceSingle(dependencies),
    },
    {
      ...row,
      path: "/stations/:name/produce/batch",
      documentation: documentation.produceBatch,
      handler: produceBatch(dependencies),
    },
    {
      ...row,
      path: "/stations/:name/produce/stream",
      documentation: documentation.produceStream,
      handler: produceStream(dependencies),
    },
    {
      ...row,
      path: "/stations/:name/consume/batch",
      documentation: documentation.consumeBatch,
      handler: consumeBatch(dependencies),
    },
    {
      ...row,
      method: "GET",
      path: "/stations/:name/consume/stream",
      documentation: documentation.consumeStream,
      handler: consumeStream(dependencies),
    },
  ];
};

/** `/stations/:name/…`: producing and consuming as the Memphis REST gateway has them. */
import * as documentation from "../documentation/stations.ts";
import type { ClientRoute } from "../routes.ts";
import { produceBatch } from "./stations/batch.ts";
import { consumeBatch } from "./stations/consume.ts";
import type { StationRouteDependencies } from "./stations/dependencies.ts";
import { produceSingle } from "./stations/single.ts";
import { produceStream } from "./stations/stream.ts";

export const stationRoutes = (dependencies: StationRouteDependencies): readonly ClientRoute[] => {
  const row = { method: "POST", family: "stations" } as const;
  const keyed = { ...row, auth: ["bearer", "apiKeyHeader"] } as const;
  const streaming = { ...row, auth: ["bearer", "apiKeyHeader", "apiKeyScheme"] } as const;
  return [
    {
      ...keyed,
      path: "/stations/:name/produce/single",
      documentation: documentation.produceSingle,
      handler: produceSingle(dependencies),
    },
    {
      ...keyed,
      path: "/stations/:name/produce/batch",
      documentation: documentation.produceBatch,
      handler: produceBatch(dependencies),
    },
    {
      ...streaming,
      path: "/stations/:name/produce/stream",
      documentation: documentation.produceStream,
      handler: produceStream(dependencies),
    },
    {
      ...keyed,
      path: "/stations/:name/consume/batch",
      documentation: documentation.consumeBatch,
      handler: consumeBatch(dependencies),
    },
  ];
};

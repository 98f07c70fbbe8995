/** Everything else that a REST Proxy has: refused, whoever asks. */
import { GatewayError } from "../../../errors.ts";
import type { Call } from "../../call.ts";
import type { OpenRoute } from "../../routes.ts";

/** Paths whose other methods serve, and all that there may be beneath. */
const PATHS = [
  "/v3/clusters",
  "/v3/clusters/:cluster",
  "/v3/clusters/:cluster/topics",
  "/v3/clusters/:cluster/topics/:topic",
  "/v3/clusters/:cluster/topics/:topic/partitions",
  "/v3/clusters/:cluster/topics/:topic/partitions/:partition",
  "/v3/clusters/:cluster/topics/:topic/records",
  "/v3/clusters/:cluster/topics/:topic/records\\:batch",
  "/v3{/*rest}",
  "/topics",
  "/topics/:topic",
  "/topics/:topic/partitions",
  "/topics/:topic/partitions/:partition",
  "/topics/:topic/partitions/:partition/offsets",
  "/topics/*rest",
  "/consumers{/*rest}",
  "/brokers{/*rest}",
] as const;

/**
 * Credentials aren't looked at, a wrong one neither: none of them opens anything here, and the answer tells nothing.
 * Only who brings none is asked for one.
 */
const refuse = ({ request }: Call): never => {
  const { authorization, "x-api-key": apiKey } = request.headers;
  const hasCredential = authorization !== undefined || apiKey !== undefined || hasQueryToken(request.url);
  throw new GatewayError(hasCredential ? "ADMINISTRATION_DISABLED" : "UNAUTHORIZED");
};

const hasQueryToken = (url: string): boolean =>
  url.includes("?") && new URLSearchParams(url.slice(url.indexOf("?"))).has("authorization");

/** To stand behind the rows that serve. */
export const administrationRoutes: readonly OpenRoute[] = PATHS.map((path) => ({
  method: "ALL",
  path,
  auth: "none",
  family: "rest-proxy",
  documentation: undefined,
  handler: refuse,
}));

/**
 * Helmet for answers that are not pages: they load nothing and are shown in no frame. Pages of other sites may use them if
 * CORS allows it. HSTS is left to the proxy that ends TLS. The headers are the same for all requests, so helmet runs once.
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import helmet from "helmet";

const setHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  crossOriginResourcePolicy: { policy: "cross-origin" },
  xFrameOptions: { action: "deny" },
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  strictTransportSecurity: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});

type Header = readonly [name: string, value: string];

/** The headers, in helmet's order. */
export const securityHeaders = (): readonly Header[] => {
  const headers: Header[] = [];
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.setHeader = (name, value) => {
    headers.push([name, String(value)]);
    return response;
  };
  setHeaders(response.req, response, () => undefined);
  return headers;
};

import { type Limits, type Principal, verifiedPrincipal } from "./principal.ts";

/** A webhook source: its deliveries prove themselves one by one, and go to the one station it is declared for. */
export const webhookPrincipal = (source: string, station: string, limits: Limits): Principal =>
  verifiedPrincipal({
    kind: "webhook",
    name: source,
    mayProduce: (name) => name === station,
    mayConsume: () => false,
    origins: [],
    limits,
  });

import { type Principal, verifiedPrincipal } from "./principal.ts";

/** An operator who tries a station out: the operators' own routes have admitted whoever it is. */
export const operatorPrincipal: Principal = verifiedPrincipal({
  kind: "operator",
  name: "operator",
  mayProduce: () => true,
  mayConsume: () => true,
  origins: [],
  limits: {},
});

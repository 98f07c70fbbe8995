/** PEM texts of a listener for tests. */
import { randomBytes } from "node:crypto";
import type { PemFiles } from "../../../src/http/tls/secure-context.ts";
import type { Identity } from "../../support/authority.ts";

export const pemOf = (identity: Identity, further: Partial<PemFiles> = {}): PemFiles => ({
  ...identity,
  clientAuth: "none",
  minVersion: "TLSv1.2",
  ticketKeys: randomBytes(48),
  ...further,
});

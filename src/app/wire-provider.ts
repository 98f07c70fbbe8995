/** The operators' identity provider: its keys, the sign-in with it, and its JWTs as a credential. */
import { readFileSync } from "node:fs";
import type { KeyUnits } from "../auth/issuers/key-units.ts";
import { createJsonClient } from "../auth/json-request.ts";
import { createOperatorJwts } from "../auth/oidc/operator-jwts.ts";
import { createProviderSignIn } from "../auth/oidc/sign-in.ts";
import { createSealer } from "../auth/operators/sealer.ts";
import { type OperatorJwts, sealingSecrets } from "../auth/operators/operators.ts";
import { digestOf } from "../auth/secrets.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { OfferedProvider } from "../http/handlers/sign-in/routes.ts";

export interface OpenedProvider {
  readonly offered: OfferedProvider;
  /** undefined: the settings accept no JWTs. */
  readonly jwts: OperatorJwts | undefined;
  /** Its keys are not fetched any more, if no other settings need them. */
  close(): void;
}

/** The name of the keys in metrics and log lines. No entry of `auth.issuers` can have it. */
const NAME = "admin.oidc";

/** As the defaults of an issuer. Milliseconds. */
const KEYS = { refresh: 600_000, maxStale: 86_400_000, fetchTimeout: 5000 };

/**
 * undefined: the settings name no identity provider. Call `close` when these settings are not used any more. Throws node's error if
 * the `ca` can't be read; the settings have checked it. `ownSecret`: seals sign-ins if the settings have no secret.
 */
export const openProvider = (
  { admin, auth }: Settings,
  units: KeyUnits,
  ownSecret: string,
): OpenedProvider | undefined => {
  const { oidc, publicUrl } = admin;
  if (oidc === undefined || publicUrl === undefined) return undefined;
  const { issuer, clientId, audience } = oidc;
  const ca = oidc.ca === undefined ? undefined : readFileSync(oidc.ca, "utf8");
  const taken = units.take({ name: NAME, issuer, ca, ...KEYS });
  const { keys } = taken;
  // A sign-in that was begun at another provider must not end at this one.
  const purpose = `operator sign-in ${digestOf(JSON.stringify([issuer, clientId]))}`;
  const configured = auth.accessToken.secrets.map(({ secret }) => secret);
  const secrets = sealingSecrets({
    settings: admin,
    secrets: configured.length > 0 ? configured : [ownSecret],
  });
  const signIn = createProviderSignIn({
    ...{ provider: oidc, publicUrl, keys, now: Date.now },
    sealer: createSealer(secrets, purpose),
    request: createJsonClient(ca),
  });
  return {
    offered: { signIn, publicUrl, label: oidc.label ?? new URL(issuer).host },
    jwts:
      audience === undefined
        ? undefined
        : createOperatorJwts({ provider: oidc, audience, keys, now: Date.now }),
    close: () => {
      taken.release();
    },
  };
};

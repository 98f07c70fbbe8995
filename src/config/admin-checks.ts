/** Rules of the operators' settings and of the audit that need several keys. */
import { type Fault, repeated } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";

/** The name of `admin.token`. */
const ADMIN = "admin";

const namesOfTokens = ({ token, tokens }: Settings["admin"]): readonly Fault[] => {
  const names = tokens.map(({ name }) => name);
  const pathOf = (index: number) => ["admin", "tokens", index, "name"];
  const text = `got "${ADMIN}", allowed: another name (admin.token has this name)`;
  const taken = token === undefined ? -1 : names.indexOf(ADMIN);
  return [...(taken === -1 ? [] : [{ path: pathOf(taken), text }]), ...repeated(names, pathOf)];
};

/**
 * The ID tokens of the gateway's own client must not pass as tokens of clients. At another provider the same client id is another
 * client. Providers are compared as the claim iss is: as text.
 */
const audiencesOfIssuers = ({ admin, auth }: Partial<Settings>): readonly Fault[] => {
  if (admin?.oidc === undefined) return [];
  const { clientId, issuer: provider } = admin.oidc;
  const allowed = "texts other than admin.oidc.clientId (ID tokens of that client would be accepted)";
  return (auth?.issuers ?? []).flatMap(({ issuer, audience }, index) =>
    issuer === provider && audience.includes(clientId)
      ? [
          {
            path: ["auth", "issuers", index, "audience"],
            text: `got ${JSON.stringify(clientId)}, allowed: ${allowed}`,
          },
        ]
      : [],
  );
};

const identityProvider = ({ oidc, publicUrl }: Settings["admin"]): readonly Fault[] => {
  if (oidc === undefined) return [];
  const url: readonly Fault[] =
    publicUrl === undefined
      ? [
          {
            path: ["admin", "publicUrl"],
            text: "got nothing, allowed: an http or https URL if admin.oidc is set, such as https://gateway.example",
          },
        ]
      : [];
  const audience: readonly Fault[] =
    oidc.audience === oidc.clientId
      ? [
          {
            path: ["admin", "oidc", "audience"],
            text: `got ${JSON.stringify(oidc.audience)}, allowed: another text than admin.oidc.clientId (ID tokens of the client would be accepted)`,
          },
        ]
      : [];
  return [...url, ...audience];
};

const stationOfAudit = ({ audit, stations, autoCreateStations }: Partial<Settings>): readonly Fault[] => {
  const name = audit?.station;
  if (name === undefined || stations === undefined || autoCreateStations !== false) return [];
  if (stations.some((station) => station.name === name)) return [];
  return [
    {
      path: ["audit", "station"],
      text: `got ${JSON.stringify(name)}, which is not declared, allowed: the name of a declared station, or autoCreateStations: true`,
    },
  ];
};

const namesOfCertificates = ({ certificates }: Settings["admin"]): readonly Fault[] =>
  repeated(
    certificates.map(({ name }) => name),
    (i) => ["admin", "certificates", i, "name"],
  );

export const adminFaults = (settings: Partial<Settings>): readonly Fault[] => {
  const { admin } = settings;
  const ofAdmin =
    admin === undefined
      ? []
      : [...namesOfTokens(admin), ...namesOfCertificates(admin), ...identityProvider(admin)];
  return [...ofAdmin, ...audiencesOfIssuers(settings), ...stationOfAudit(settings)];
};

/** Bytes. */
const LEAST_SECRET = 32;

/** An attacker with a session cookie can try secrets without a request. The length would help the attacker, so no warning shows it. */
const secretWarnings = (secret: string | undefined): readonly string[] => {
  if (secret === undefined || Buffer.byteLength(secret) >= LEAST_SECRET) return [];
  return [
    `admin.sessionSecret has fewer than ${LEAST_SECRET} bytes: use ${LEAST_SECRET} random bytes or more, so that nobody can guess it from a session`,
  ];
};

export const adminWarnings = ({ admin }: Settings, laptop: boolean): readonly string[] => {
  const { token, tokens, oidc, certificates, sessionSecret } = admin;
  const nobody =
    token === undefined && tokens.length + certificates.length === 0 && oidc === undefined && !laptop;
  const noRole = oidc !== undefined && Object.values(oidc.roles).every((values) => values.length === 0);
  return [
    ...(nobody ? ["admin.token is not set: the operators' routes refuse everyone"] : []),
    ...secretWarnings(sessionSecret),
    ...(noRole ? ["admin.oidc.roles is empty: nobody gets a role by the identity provider"] : []),
  ];
};

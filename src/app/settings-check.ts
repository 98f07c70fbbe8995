/**
 * Checks settings by using them: secrets, schemas, webhook sources, connectors and certificates. The gateway makes these checks at
 * its start; `src/main/check.ts` has the whole check. A reload checks only the schemas of changed stations.
 */
import { auditTopicOf, contentLimitsOf } from "./wire-ingest.ts";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { createAccounts } from "../auth/accounts.ts";
import { createCertificateVerifier } from "../auth/certificates.ts";
import { createApiKeyVerifier } from "../auth/api-keys.ts";
import { createSecretVerifier, derivationTurns, storedSecret } from "../auth/secrets.ts";
import { createFailureThrottle } from "../auth/throttle.ts";
import { environmentVariable } from "../config/environment.ts";
import type { Settings } from "../config/schema/schema.ts";
import { createReferences } from "../delivery/connectors/references.ts";
import { faultsOfDeclared } from "../delivery/connectors/validation.ts";
import { createTargets } from "../delivery/engine/targets.ts";
import { GatewayError } from "../errors.ts";
import { type LoadedStation, loadStations } from "../ingest/declare.ts";
import { requireSource } from "../ingest/webhooks/webhooks.ts";
import { certificatesIn } from "../lib/pem.ts";
import { tlsOf } from "./wire-broker.ts";
import { ownDeadLetterTopicOf } from "./wire-event-service.ts";

type Check = (settings: Settings) => readonly string[];

export interface CheckOptions {
  /** The schemas of other stations have passed the check before. Absent: all schemas are compiled. */
  readonly changedStations?: ReadonlySet<string>;
}

/** The lines of the error that the task throws. `setting` is put before each line. */
const linesOf = (task: () => unknown, setting?: string): readonly string[] => {
  try {
    task();
    return [];
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.message.split("\n").map((line) => (setting === undefined ? line : `${setting}: ${line}`));
  }
};

const ofCredentials: Check = ({ auth, admin }) => {
  const verifier = createSecretVerifier({ turns: derivationTurns() });
  const throttle = createFailureThrottle({ limit: 1, windowMs: 1 });
  return [
    ...auth.accounts.flatMap((account) =>
      linesOf(() => createAccounts([account]), `auth.accounts.${account.username}`),
    ),
    ...auth.apiKeys.flatMap((key) =>
      linesOf(
        () => createApiKeyVerifier({ keys: [key], verifier, throttle, maxRemembered: 1 }),
        `auth.apiKeys.${key.id}`,
      ),
    ),
    ...auth.certificates.flatMap((entry) =>
      linesOf(() => createCertificateVerifier([entry]), `auth.certificates.${entry.name}`),
    ),
    ...linesOf(() => admin.token !== undefined && storedSecret(admin.token), "admin.token"),
  ];
};

interface Checked {
  readonly faults: readonly string[];
  /** The checked stations with their compiled schemas. Empty if a schema has a fault. */
  readonly stations: readonly LoadedStation[];
}

const checkStations = async (
  { stations, server, roles }: Settings,
  { changedStations }: CheckOptions,
): Promise<Checked> => {
  if (!roles.includes("ingest")) return { faults: [], stations: [] };
  const changed = stations.filter(({ name }) => changedStations?.has(name) ?? true);
  try {
    const limits = contentLimitsOf(server);
    return { faults: [], stations: await loadStations(changed, { limits, registry: undefined }) };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { faults: error.message.split("\n"), stations: [] };
  }
};

const ofWebhooks: Check = ({ webhooks, roles }) =>
  roles.includes("ingest")
    ? webhooks.flatMap((declared) =>
        linesOf(() => {
          requireSource({ secrets: [], ...declared });
        }),
      )
    : [];

const ofConnectors: Check = (settings) => {
  const { connectors, delivery, registry, roles } = settings;
  if (!roles.includes("delivery")) return [];
  return faultsOfDeclared(connectors, {
    targets: createTargets(delivery.allowTargets),
    hasRegistry: registry.urls.length > 0,
    auditTopic: auditTopicOf(settings)?.name,
    references: createReferences({ providers: delivery.configProviders, environment: environmentVariable }),
  });
};

const ofAudit: Check = (settings) => {
  const topic = auditTopicOf(settings)?.name;
  if (topic === undefined || topic !== ownDeadLetterTopicOf(settings)) return [];
  return [`audit.station: its topic ${JSON.stringify(topic)} has the dead letters of the event service`];
};

const ofFiles = (setting: string, files: Parameters<typeof tlsOf>[0]): readonly string[] => {
  try {
    createSecureContext(tlsOf(files));
    return [];
  } catch (error) {
    return [`${setting}: the files are not a matching PEM certificate and key (${(error as Error).message})`];
  }
};

const ofCertificates: Check = ({ broker, registry }) => [
  ...(broker.type === "kafka" ? ofFiles("broker.kafka.ssl", broker.kafka.ssl) : []),
  ...ofFiles("registry", registry),
];

/** node ignores a `ca` without certificates, and then trusts the system's. */
const ofCa = (setting: string, ca: string | undefined): readonly string[] => {
  if (ca === undefined) return [];
  const found = certificatesIn(textOf(ca));
  return typeof found === "string" ? [`${setting}: got ${JSON.stringify(ca)}, ${found}`] : [];
};

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

const ofIssuers: Check = ({ auth, admin }) => [
  ...auth.issuers.flatMap(({ name, ca }) => ofCa(`auth.issuers.${name}.ca`, ca)),
  ...ofCa("admin.oidc.ca", admin.oidc?.ca),
];

const CHECKS: readonly Check[] = [
  ofCredentials,
  ofIssuers,
  ofWebhooks,
  ofConnectors,
  ofAudit,
  ofCertificates,
];

const checkAll = async (settings: Settings, options: CheckOptions): Promise<Checked> => {
  const faults = CHECKS.flatMap((check) => check(settings));
  const checked = await checkStations(settings, options);
  return { ...checked, faults: [...faults, ...checked.faults] };
};

/** One line for each fault, without secrets. Loads the schemas; makes no connections and writes nothing. */
export const faultsInUse = async (
  settings: Settings,
  options: CheckOptions = {},
): Promise<readonly string[]> => (await checkAll(settings, options)).faults;

/** Resolves with the stations and their compiled schemas. Rejects with SETTINGS_INVALID, whose message has all the lines. */
export const requireUsable = async (settings: Settings): Promise<readonly LoadedStation[]> => {
  const { faults, stations } = await checkAll(settings, {});
  if (faults.length > 0) throw new GatewayError("SETTINGS_INVALID", { message: faults.join("\n") });
  return stations;
};

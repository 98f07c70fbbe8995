/** Rules about the names of clients, the entries of `auth.issuers`, and client certificates. */
import { type Fault, repeated } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";
import type { Path } from "./tree.ts";

type Auth = Settings["auth"];

interface NamedClient {
  readonly kind: string;
  readonly name: string;
  readonly path: Path;
}

/** The clients whose names are in the settings. Two API keys with one id are one client. */
const clientsOf = ({ accounts, apiKeys, certificates }: Auth): readonly NamedClient[] => [
  ...accounts.map(({ username: name }, i) => ({
    kind: "account",
    name,
    path: ["auth", "accounts", i, "username"],
  })),
  ...apiKeys.map(({ id: name }, i) => ({ kind: "API key", name, path: ["auth", "apiKeys", i, "id"] })),
  ...certificates.map(({ name }, i) => ({
    kind: "certificate",
    name,
    path: ["auth", "certificates", i, "name"],
  })),
];

const WHY = "limits, consumer groups and log lines go by the name";

/** No name belongs to clients of two kinds. */
const sharedNames = (auth: Auth): readonly Fault[] => {
  const owners = new Map<string, string>();
  return clientsOf(auth).flatMap(({ kind, name, path }) => {
    const owner = owners.get(name) ?? kind;
    owners.set(name, owner);
    return owner === kind
      ? []
      : [{ path, text: `got ${JSON.stringify(name)}, allowed: a name that no ${owner} has (${WHY})` }];
  });
};

/** The clients of an issuer have names that begin with the name of its entry. */
const namesOfIssuers = (auth: Auth): readonly Fault[] =>
  clientsOf(auth).flatMap(({ name, path }) => {
    const entry = auth.issuers.find((one) => name.startsWith(`${one.name}:`));
    return entry === undefined
      ? []
      : [
          {
            path,
            text: `got ${JSON.stringify(name)}, allowed: a name that does not begin with ${entry.name}: (${WHY}, and auth.issuers has the entry ${entry.name})`,
          },
        ];
  });

const issuerPath = (i: number, key: string): Path => ["auth", "issuers", i, key];

const ownIssuer = ({ issuer: own, issuers }: Auth): readonly Fault[] =>
  issuers.flatMap(({ issuer }, i) =>
    issuer === own
      ? [
          {
            path: issuerPath(i, "issuer"),
            text: `got ${JSON.stringify(issuer)}, allowed: an issuer other than auth.issuer`,
          },
        ]
      : [],
  );

export const clientFaults = ({ auth }: Partial<Settings>): readonly Fault[] =>
  auth === undefined
    ? []
    : [
        ...repeated(
          auth.issuers.map(({ name }) => name),
          (i) => issuerPath(i, "name"),
        ),
        ...repeated(
          auth.issuers.map(({ issuer }) => issuer),
          (i) => issuerPath(i, "issuer"),
        ),
        ...repeated(
          auth.certificates.map(({ name }) => name),
          (i) => ["auth", "certificates", i, "name"],
        ),
        ...ownIssuer(auth),
        ...sharedNames(auth),
        ...namesOfIssuers(auth),
      ];

export const certificateWarnings = ({ auth, admin, server }: Settings): readonly string[] =>
  [
    { list: "auth.certificates", entries: auth.certificates, port: "server.tls", tls: server.tls },
    { list: "admin.certificates", entries: admin.certificates, port: "admin.tls", tls: admin.tls },
  ].flatMap(({ list, entries, port, tls }) =>
    entries.length > 0 && (tls?.clientAuth ?? "none") === "none"
      ? [
          `${list} has entries, but ${port}.clientAuth is none: set it to optional or required, so that clients can show a certificate`,
        ]
      : [],
  );

/** Bytes for the request line and the headers beside the token. */
const OTHER_HEADERS = 4096;

export const issuerWarnings = ({ auth, server }: Settings): readonly string[] =>
  auth.issuers
    .filter(({ maxTokenSize }) => server.maxHeaderSize < maxTokenSize + OTHER_HEADERS)
    .map(
      ({ name, maxTokenSize }) =>
        `server.maxHeaderSize is ${server.maxHeaderSize} bytes: a token of auth.issuers[${name}].maxTokenSize (${maxTokenSize} bytes) may not fit; ` +
        `set it to ${maxTokenSize + OTHER_HEADERS} bytes or more`,
    );

/** The audit: one line for each change on the operators' port, each reload, and each sign-in and sign-out. */

/** Actions whose routes exist. Further routes add theirs. */
export type AuditAction =
  | `connector.${"create" | "change" | "delete" | "pause" | "resume" | "stop" | "restart" | "offsets" | "topics" | "replay"}`
  | "station.event"
  | "log.level"
  | "settings.reload"
  | "session.begin"
  | "session.end"
  | "client.sign-in";

/** done: 2xx and 3xx; refused: 4xx; failed: 5xx. */
export type AuditOutcome = "done" | "refused" | "failed";

/** No member may contain a secret, a body or a query. */
export interface AuditEntry {
  readonly action: AuditAction;
  /** Name of the operator, or of the account for `client.sign-in`. */
  readonly actor?: string | undefined;
  readonly role?: string | undefined;
  /** As in `GET /session`; signal and file for a reload without a request. */
  readonly via?: string | undefined;
  readonly subject?: { readonly iss: string; readonly sub: string } | undefined;
  /** Network address of the client. */
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  /** Name of what is changed: a connector, a station, a logger. */
  readonly target?: string | undefined;
  readonly outcome: AuditOutcome;
  readonly status?: number | undefined;
  /** Names of settings or configuration keys, never a value. */
  readonly changed?: readonly string[] | undefined;
  /** Why a sign-in was refused, in fixed words. */
  readonly reason?: string | undefined;
}

/** An entry as it is written and stored: without absent members and empty lists. */
export type AuditLine = Readonly<Record<string, unknown>> & {
  readonly time: number;
  readonly target?: string;
};

export interface Audit {
  /** Writes the line and returns at once. */
  record(entry: AuditEntry): void;
}

/** The audit of a process with a broker. */
export interface StoredAudit extends Audit {
  /** Stores a line that another process has written. */
  store(line: AuditLine): void;
}

interface AuditOptions {
  /** Writes a line at every log level. */
  readonly write: (line: AuditLine) => void;
  /** Stores the line in the station of the settings; absent: it is only written. */
  readonly store?: ((line: AuditLine) => void) | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export const createAudit = ({ write, store, now }: AuditOptions): Audit => ({
  record: (entry) => {
    const { target } = entry;
    const line: AuditLine = {
      level: "info",
      time: now(),
      ...Object.fromEntries(Object.entries(entry).filter(([, value]) => hasValue(value))),
      ...(target !== undefined && { target }),
      msg: "audit",
    };
    write(line);
    store?.(line);
  },
});

const hasValue = (value: unknown): boolean =>
  value !== undefined && !(Array.isArray(value) && value.length === 0);

export const outcomeOf = (status: number): AuditOutcome => {
  if (status < 400) return "done";
  return status < 500 ? "refused" : "failed";
};

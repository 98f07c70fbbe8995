/** Writes the audit entries of requests. */
import { type Caller, type Operator, refusedCaller } from "../auth/operators/operator.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import { cut } from "../lib/text.ts";
import { type Audit, type AuditAction, type AuditEntry, outcomeOf } from "../observability/audit.ts";
import type { Call } from "./call.ts";
import { errorStatus } from "./families.ts";
import type { OpenRoute } from "./routes.ts";
import { pathParameter } from "./url.ts";

/** Names in paths and bodies are the client's. */
const LONGEST_NAME = 300;

/** The name in the path: the value of its first parameter. */
const nameInPath = ({ request }: Call, { path }: Pick<OpenRoute, "path">): string | undefined => {
  const [, parameter] = /:(\w+)/.exec(path) ?? [];
  return parameter === undefined ? undefined : pathParameter(request, parameter);
};

type By = Pick<AuditEntry, "actor" | "role" | "via" | "subject">;

/** `role` is absent if the caller has none. */
const byOf = ({ name, via, subject, role }: Caller & Partial<Pick<Operator, "role">>): By => ({
  ...{ actor: name, role, via, subject },
});

const originOf = ({ id, request }: Call): Pick<AuditEntry, "address" | "requestId"> => ({
  address: request.ip,
  requestId: id,
});

interface End {
  readonly by: By;
  readonly status: number;
}

const record = (audit: Audit, call: Call, route: OpenRoute, { by, status }: End): void => {
  const { audited } = call;
  const action = audited.action ?? route.audit;
  if (action === undefined || route.isDry?.(call) === true) return;
  const target = audited.target ?? call.facts.station ?? nameInPath(call, route);
  audit.record({
    action,
    ...by,
    ...originOf(call),
    target: target && cut(target, LONGEST_NAME),
    outcome: outcomeOf(status),
    status,
    changed: audited.changed?.map((name) => cut(name, LONGEST_NAME)),
  });
};

/**
 * Does the work of a route that has an audit action, and records its end if the caller is known then. A client that leaves
 * before the answer does not change the entry.
 */
export const audited = async (
  call: Call,
  route: OpenRoute,
  audit: Audit | undefined,
  work: () => Promise<void>,
): Promise<void> => {
  if (audit === undefined || route.audit === undefined) return work();
  try {
    await work();
  } catch (error) {
    const failure = asGatewayError(error);
    const caller = call.operator ?? refusedCaller(failure);
    const status = errorStatus(failure, call.family);
    if (caller !== undefined) record(audit, call, route, { by: byOf(caller), status });
    throw error;
  }
  const { operator, response } = call;
  if (operator !== undefined) record(audit, call, route, { by: byOf(operator), status: response.statusCode });
};

/** The reason of a refusal: fixed words of the verifier, or the text of the error, which quotes no credential. */
const reasonOf = ({ cause, message }: GatewayError): string => (typeof cause === "string" ? cause : message);

export interface SignInAudit {
  readonly audit: Audit | undefined;
  readonly action: Extract<AuditAction, "session.begin" | "client.sign-in">;
  /** Whose sign-in it is, if that is known before the credential is checked. Never a text of the client. */
  readonly actor?: string | undefined;
  /** The kind of the sign-in of an operator. */
  readonly via?: Extract<Operator["via"], "token" | "oidc">;
}

/** Records the sign-in of an operator or a client. `status` is that of a successful answer. */
export const auditSignIn = async <T>(
  call: Call,
  { audit, action, actor, via }: SignInAudit,
  signIn: () => Promise<T>,
  doneOf: (result: T) => End,
): Promise<T> => {
  if (audit === undefined) return signIn();
  const begun = { action, actor, via, ...originOf(call) };
  try {
    const result = await signIn();
    const { by, status } = doneOf(result);
    audit.record({ ...begun, ...by, outcome: outcomeOf(status), status });
    return result;
  } catch (error) {
    const refusal = asGatewayError(error);
    const caller = refusedCaller(refusal);
    const status = errorStatus(refusal, call.family);
    audit.record({
      ...begun,
      ...(caller && byOf(caller)),
      ...{ outcome: outcomeOf(status), status, reason: reasonOf(refusal) },
    });
    throw error;
  }
};

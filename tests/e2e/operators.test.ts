/** Operators' credentials and roles, with the real program. */
import { jest } from "@jest/globals";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";

jest.setTimeout(60_000);

type Role = "viewer" | "operator" | "admin";

/** The least role of each route, from the specification. A new route without a row fails the test. */
const ROLES: Readonly<Record<string, Role>> = {
  "GET /": "viewer",
  "GET /gateway": "viewer",
  "GET /stations": "viewer",
  "GET /session": "viewer",
  "POST /session/end": "viewer",
  "GET /openapi.json": "viewer",
  "GET /docs": "viewer",
  "GET /admin/loggers": "viewer",
  "GET /admin/loggers/{logger}": "viewer",
  "PUT /admin/loggers/{logger}": "operator",
  "GET /connector-plugins": "viewer",
  "GET /connector-plugins/{class}/config": "viewer",
  "PUT /connector-plugins/{class}/config/validate": "viewer",
  "GET /connectors": "viewer",
  "POST /connectors": "admin",
  "GET /connectors/{name}": "viewer",
  "PUT /connectors/{name}": "admin",
  "DELETE /connectors/{name}": "admin",
  "GET /connectors/{name}/config": "viewer",
  "PUT /connectors/{name}/config": "admin",
  "PATCH /connectors/{name}/config": "admin",
  "GET /connectors/{name}/status": "viewer",
  "GET /connectors/{name}/tasks": "viewer",
  "GET /connectors/{name}/tasks/{task}/status": "viewer",
  "POST /connectors/{name}/tasks/{task}/restart": "operator",
  "GET /connectors/{name}/pause": "operator",
  "PUT /connectors/{name}/pause": "operator",
  "GET /connectors/{name}/resume": "operator",
  "PUT /connectors/{name}/resume": "operator",
  "PUT /connectors/{name}/stop": "operator",
  "POST /connectors/{name}/restart": "operator",
  "GET /connectors/{name}/offsets": "viewer",
  "PATCH /connectors/{name}/offsets": "operator",
  "DELETE /connectors/{name}/offsets": "operator",
  "GET /connectors/{name}/topics": "viewer",
  "PUT /connectors/{name}/topics/reset": "operator",
  "GET /connectors/{name}/failures": "viewer",
  "GET /connectors/{name}/dead-letters": "viewer",
  "GET /connectors/{name}/dead-letters/records": "operator",
  "POST /connectors/{name}/dead-letters/replay": "operator",
  "GET /stations/{name}/tail": "operator",
  "POST /stations/{name}/events": "operator",
  "POST /gateway/reload": "admin",
};

/** The routes that need no credential. */
const OPEN: readonly string[] = [
  "GET /healthz",
  "GET /readyz",
  "GET /health",
  "GET /metrics",
  "POST /session",
  "GET /session/oidc",
  "GET /session/oidc/callback",
];

const TOKENS: Readonly<Record<Role, string>> = {
  viewer: "viewer-token-of-the-tests-0000000",
  operator: "operator-token-of-the-tests-00000",
  admin: "second-admin-token-of-the-tests-0",
};
const ORDER: readonly Role[] = ["viewer", "operator", "admin"];

const tokens = ORDER.map((role) => ({ name: `the-${role}`, token: TOKENS[role], role }));

const settings = (more: Record<string, unknown> = {}) => ({
  admin: { host: "127.0.0.1", port: 0, token: ADMIN_TOKEN, tokens, ...more },
});

const bearer = (role: Role) => ({ authorization: `Bearer ${TOKENS[role]}` });

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { description?: string; security: object[] }>>>
  >;
}

const documentOf = async ({ adminUrl }: Gateway): Promise<Document> =>
  (await (await fetch(`${adminUrl}/openapi.json`, { headers: bearer("viewer") })).json()) as Document;

const routesOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, "nobody"),
      ...operation,
    })),
  );

describe("the roles of operators", () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ settings: settings() });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  /** Sends the body `{`, which no route accepts. */
  const ask = async ({ method, path }: { method: string; path: string }, headers: Record<string, string>) => {
    const answer = await fetch(gateway.adminUrl + path, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      redirect: "manual",
      ...(method !== "GET" && { body: "{" }),
    });
    return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
  };

  /** The answer of a role that is too low, in the shape of the API family. */
  const refusalOf = (path: string, least: Role): object => {
    const text = `This needs the role ${least}`;
    return /^\/(connector|admin)/.test(path)
      ? { error_code: 403, message: text }
      : { status: 403, detail: text, code: "ROLE_FORBIDDEN" };
  };

  const allowed = ORDER.flatMap((least, i) => ORDER.slice(i).map((role) => `${role} ${least}`));

  it("are those of the specification, on every route and before the body and the name", async () => {
    const routes = routesOf(await documentOf(gateway)).filter(({ name }) => !OPEN.includes(name));
    expect(routes.map(({ name }) => name).filter((name) => ROLES[name] === undefined)).toEqual([]);
    expect(routes.length).toBeGreaterThan(40);
    for (const route of routes) {
      const least = ROLES[route.name] ?? "admin";
      expect([route.name, route.description]).toEqual([
        route.name,
        expect.stringContaining(`Needs the role ${least}.`),
      ]);
      for (const role of ORDER) {
        const { status, text } = await ask(route, bearer(role));
        const isAllowed = allowed.includes(`${role} ${least}`);
        const said = status === 403 ? (JSON.parse(text) as object) : { status: "not 403" };
        const expected = isAllowed ? { status: "not 403" } : refusalOf(route.path, least);
        expect([role, route.name, status === 401, said]).toMatchObject([role, route.name, false, expected]);
      }
    }
  });

  it("are needed on every route but the probes and the sign-in", async () => {
    const open = routesOf(await documentOf(gateway)).filter(({ security }) => security.length === 0);
    expect(open.map(({ name }) => name).filter((name) => !OPEN.includes(name))).toEqual([]);
  });

  it("apply to HEAD as to GET", async () => {
    const head = (path: string) =>
      fetch(gateway.adminUrl + path, { method: "HEAD", headers: bearer("viewer") }).then(
        ({ status }) => status,
      );
    expect([await head("/stations"), await head("/connectors/nobody/pause")]).toEqual([200, 403]);
  });

  it("leave 404 to unknown paths", async () => {
    expect((await ask({ method: "GET", path: "/nowhere" }, bearer("viewer"))).status).toBe(404);
  });
});

describe("viewers", () => {
  it("read events if the settings allow it", async () => {
    await using gateway = await startGateway({ settings: settings({ viewersReadEvents: true }) });
    const as = (path: string, method = "GET") =>
      fetch(gateway.adminUrl + path, { method, headers: bearer("viewer") });
    expect((await as("/connectors/nobody/dead-letters/records")).status).toBe(404);
    expect((await as("/stations/nobody/tail")).status).toBe(404);
    expect((await as("/stations/nobody/events", "POST")).status).toBe(403);
    expect(await (await as("/gateway")).json()).toMatchObject({ viewersReadEvents: true });
  });
});

describe("a session", () => {
  it("is valid in a process with the same settings, and ends when its token changes", async () => {
    await using gateway = await startGateway({ settings: settings() });
    const signIn = await fetch(`${gateway.adminUrl}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: TOKENS.viewer }),
      redirect: "manual",
    });
    const cookie = signIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const shown = ({ adminUrl }: Gateway) => fetch(`${adminUrl}/session`, { headers: { cookie } });
    expect(await (await shown(gateway)).json()).toMatchObject({ name: "the-viewer", role: "viewer" });
    await using same = await startGateway({ settings: settings({ failuresPerMinute: 5 }) });
    expect((await shown(same)).status).toBe(200);
    const changed = tokens.map((one) => (one.role === "viewer" ? { ...one, token: "another" } : one));
    await using other = await startGateway({ settings: settings({ tokens: changed }) });
    expect((await shown(other)).status).toBe(401);
  });

  it("is valid in all workers without any secret in the settings", async () => {
    await using gateway = await startGateway({
      settings: { ...settings(), auth: {}, server: { host: "127.0.0.1", port: 0, workers: 1 } },
    });
    const signIn = await fetch(`${gateway.adminUrl}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: ADMIN_TOKEN }),
      redirect: "manual",
    });
    const cookie = signIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    expect((await fetch(`${gateway.adminUrl}/session`, { headers: { cookie } })).status).toBe(200);
  });
});

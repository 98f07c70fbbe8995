/** The OpenAPI documents of a running gateway equal the files in the repository, and describe existing routes. */
import { createHash } from "node:crypto";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { expectPrinted } from "../support/printed.ts";

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
}

const OPERATOR = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** A request for each operation of a document. */
const requestsOf = ({ paths }: Document): readonly { method: string; path: string }[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, "1"),
    })),
  );

describe("the OpenAPI documents", () => {
  let gateway: Gateway;
  let clients: Document;
  let operators: Document;

  const read = async (url: string, headers: Record<string, string> = {}): Promise<Document> => {
    const answer = await fetch(`${url}/openapi.json`, { headers });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    return (await answer.json()) as Document;
  };

  beforeAll(async () => {
    gateway = await startGateway();
    clients = await read(gateway.url);
    operators = await read(gateway.adminUrl, OPERATOR);
  }, 30_000);

  afterAll(() => gateway[Symbol.asyncDispose]());

  it("equal the files in the repository", async () => {
    await expectPrinted("openapi.json", JSON.stringify(clients));
    await expectPrinted("openapi.operators.json", JSON.stringify(operators));
  }, 30_000);

  it("have unique operation ids", () => {
    const ids = [clients, operators].map(({ paths }) =>
      Object.values(paths).flatMap((operations) =>
        Object.values(operations).map(({ operationId }) => operationId),
      ),
    );
    expect(ids.map((all) => new Set(all).size)).toEqual(ids.map((all) => all.length));
  });

  it("contain only routes that are served", async () => {
    const unserved: string[] = [];
    for (const [url, document] of [
      [gateway.url, clients],
      [gateway.adminUrl, operators],
    ] as const) {
      for (const { method, path } of requestsOf(document)) {
        // An undeclared webhook source is 404 too, and so is the sign-in without an identity provider.
        if (path.startsWith("/webhooks/") || path.startsWith("/session/oidc")) continue;
        const answer = await fetch(`${url}${path}`, { method });
        await answer.body?.cancel();
        if ([404, 405].includes(answer.status)) unserved.push(`${method} ${path}`);
      }
    }
    expect(unserved).toEqual([]);
  }, 30_000);

  it("are shown as a page whose content security policy allows only its own style", async () => {
    const answer = await fetch(`${gateway.url}/docs`);
    const page = await answer.text();
    const [, style = ""] = /<style>(.*)<\/style>/s.exec(page) ?? [];
    const digest = createHash("sha256").update(style).digest("base64");
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("content-security-policy")).toContain(
      `default-src 'none'; style-src 'sha256-${digest}'`,
    );
    expect(page).toContain("/stations/{name}/produce/single");
  });

  it("differ on the operators' listener, which needs their token", async () => {
    for (const path of ["/openapi.json", "/docs"])
      expect((await fetch(`${gateway.adminUrl}${path}`)).status).toBe(401);
    expect(Object.keys(operators.paths)).toContain("/connectors/{name}/offsets");
    expect(Object.keys(clients.paths).filter((path) => path.startsWith("/connectors"))).toEqual([]);
  });
});

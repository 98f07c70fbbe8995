/** From rows of a route table to an OpenAPI document. */
import { z } from "zod";
import { ERROR_MEANINGS } from "../../../src/http/openapi/error-meanings.ts";
import { openApiDocument, type OpenApiDocument } from "../../../src/http/openapi/openapi.ts";
import type { Documentation } from "../../../src/http/documentation.ts";
import type { Route } from "../../../src/http/routes.ts";

const INFO = { title: "Test", version: "1.2.3", description: "Words." };

const words: Documentation = {
  id: "test",
  tag: "Tests",
  summary: "A test",
  answers: { 204: { description: "Done." } },
  errors: [],
};

const row = {
  method: "POST",
  path: "/things/:name",
  family: "problem",
  auth: "none",
  handler: () => undefined,
} as const;

interface Operation {
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
}

const operation = (document: OpenApiDocument, path = "/things/{name}", method = "post"): Operation =>
  document.paths[path]?.[method] as unknown as Operation;

const drawn = (route: Partial<Route>, documentation: Partial<Documentation> = {}): Operation =>
  operation(openApiDocument(INFO, [{ ...row, ...route, documentation: { ...words, ...documentation } }]));

describe("openApiDocument", () => {
  it("writes path parameters in OpenAPI's syntax", () => {
    const paths = ["/a/:b/c", "/topics/:topic/records\\:batch"];
    const routes = paths.map((path): Route => ({ ...row, path, documentation: words }));
    expect(Object.keys(openApiDocument(INFO, routes).paths)).toEqual([
      "/a/{b}/c",
      "/topics/{topic}/records:batch",
    ]);
  });

  it("omits routes without documentation", () => {
    const refusing: Route = { ...row, method: "ALL", documentation: undefined };
    expect(openApiDocument(INFO, [refusing]).paths).toEqual({});
  });

  it("describes errors in the shape of the family", () => {
    const schemaOf = (family: Route["family"]): unknown =>
      drawn({ family }, { errors: ["STATION_FORBIDDEN"] }).responses["403"]?.content;
    const json = (name: string) => ({
      "application/json": { schema: { $ref: `#/components/schemas/${name}` } },
    });
    expect(schemaOf("stations")).toEqual(json("StationError"));
    expect(schemaOf("rest-proxy")).toEqual(json("RestProxyError"));
    expect(schemaOf("connect")).toEqual(json("ConnectError"));
    expect(schemaOf("auth")).toEqual(json("AuthError"));
    expect(schemaOf("problem")).toEqual({
      "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
    });
  });

  it("uses the statuses of the REST Proxy family", () => {
    const statuses = Object.keys(drawn({ family: "rest-proxy" }, { errors: ["SCHEMA_REFUSED"] }).responses);
    expect(statuses).toContain("422");
  });

  it("adds the errors of credentials", () => {
    expect(Object.keys(drawn({ auth: "none" }).responses)).toEqual(["204", "400", "431"]);
    expect(drawn({ auth: "none" }).security).toEqual([]);
    const admin = drawn({ auth: "admin", role: "viewer" });
    expect(admin.security).toEqual([
      { operator: [] },
      { operatorAsBasic: [] },
      { operatorSession: [] },
      { operatorCertificate: [] },
    ]);
    expect(Object.keys(admin.responses)).toEqual(["204", "400", "401", "429", "431", "503"]);
    expect(Object.keys(drawn({ auth: "admin" }).responses)).toContain("403");
    const client = drawn({ auth: "client" });
    expect(client.security).toEqual([
      { accessToken: [] },
      { accessTokenInQuery: [] },
      { apiKey: [] },
      { apiKeyInAuthorization: [] },
      { apiKeyAsBasic: [] },
      { clientCertificate: [] },
    ]);
    expect(Object.keys(client.responses)).toEqual(["204", "400", "401", "403", "429", "431", "503"]);
  });

  it("adds the errors of reading a body", () => {
    const body = { content: { "application/json": z.unknown() } };
    expect(Object.keys(drawn({}, { body }).responses)).toEqual(["204", "400", "408", "413", "415", "431"]);
  });

  it("joins all meanings of a status", () => {
    const partly = z.object({ partly: z.literal(true) });
    const answers = { 400: { description: "Partly.", content: { "application/json": partly } } };
    const response = drawn({ family: "stations" }, { answers, errors: ["JSON_INVALID"] }).responses["400"];
    expect(response?.description).toContain("Partly.");
    expect(response?.description).toContain("JSON_INVALID");
    expect(response?.content).toMatchObject({
      "application/json": {
        schema: { anyOf: [{ required: ["partly"] }, { $ref: "#/components/schemas/StationError" }] },
      },
    });
  });

  it("says for each error code of a status what happened", () => {
    const errors = ["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS", "OVERLOADED"] as const;
    const text = drawn({}, { errors }).responses["503"]?.description ?? "";
    expect(text.match(/`[A-Z_]+`: .*/g)).toEqual(
      errors.map((code) => `\`${code}\`: ${ERROR_MEANINGS[code]}`),
    );
  });

  it("keeps each named schema once, also nested schemas", () => {
    const inner = z.object({ n: z.int() }).meta({ id: "Inner" });
    const answers = { 200: { description: "Ok.", content: { "application/json": z.array(inner) } } };
    const document = openApiDocument(INFO, [{ ...row, documentation: { ...words, answers } }]);
    expect(JSON.stringify(operation(document))).toContain('{"$ref":"#/components/schemas/Inner"}');
    expect(document["components"]).toMatchObject({ schemas: { Inner: { type: "object", required: ["n"] } } });
  });
});

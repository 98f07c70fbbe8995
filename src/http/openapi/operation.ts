/** One route as one operation of an OpenAPI document, with its zod schemas as JSON Schemas. */
import { z } from "zod";
import type { Answer, Content, Documentation, Parameter } from "../documentation.ts";
import { type AuthNeed, leastRole, type Route } from "../routes.ts";
import { errorAnswers } from "./error-responses.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

interface SchemaBook {
  /** `input`: what a client may send; `output`: what it gets. A schema with an id becomes a reference to a component. */
  write(schema: z.ZodType, io: "input" | "output"): JsonSchema;
  /** The components that the written references name. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

const COMPONENTS = "#/components/schemas/";

/** zod puts schemas with an id into `$defs` of each JSON Schema. In the document they are components. */
const toJsonSchema = (schema: z.ZodType, io: "input" | "output"): JsonSchema => {
  const json = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return JSON.parse(JSON.stringify(json).replaceAll("#/$defs/", COMPONENTS)) as JsonSchema;
};

const without = (schema: JsonSchema, ...names: readonly string[]): JsonSchema =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));

export const createSchemaBook = (): SchemaBook => {
  const components: Record<string, JsonSchema> = {};
  return {
    components,
    write: (schema, io) => {
      const drawn = toJsonSchema(schema, io);
      for (const [name, named] of Object.entries((drawn["$defs"] ?? {}) as Record<string, JsonSchema>))
        components[name] = without(named, "id");
      const bare = without(drawn, "$schema", "$defs", "id");
      const id = z.globalRegistry.get(schema)?.id;
      if (id === undefined) return bare;
      components[id] = bare;
      return { $ref: COMPONENTS + id };
    },
  };
};

export type Operation = Readonly<Record<string, unknown>>;

export const securitySchemes = {
  accessToken: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "The access token of `/auth/authenticate`, or of an issuer of `auth.issuers`.",
  },
  accessTokenInQuery: {
    type: "apiKey",
    in: "query",
    name: "authorization",
    description: "The access token, for clients that cannot set headers.",
  },
  apiKey: { type: "apiKey", in: "header", name: "X-Api-Key" },
  apiKeyInAuthorization: {
    type: "apiKey",
    in: "header",
    name: "Authorization",
    description: "The value is `ApiKey <key>`.",
  },
  apiKeyAsBasic: {
    type: "http",
    scheme: "basic",
    description: "The key id as username and the key as password.",
  },
  clientCertificate: {
    type: "mutualTLS",
    description:
      "A client certificate that an entry of `auth.certificates` names. It counts only in a request without another credential.",
  },
  operator: {
    type: "http",
    scheme: "bearer",
    description:
      "A token of `admin.token` or `admin.tokens`, or a JWT of `admin.oidc.issuer` for `admin.oidc.audience`.",
  },
  operatorAsBasic: {
    type: "http",
    scheme: "basic",
    description: "The name of a token as username, and the token as password.",
  },
  operatorSession: {
    type: "apiKey",
    in: "cookie",
    name: "stationgate-session",
    description: "The session of the console.",
  },
  operatorCertificate: {
    type: "mutualTLS",
    description:
      "A client certificate that an entry of `admin.certificates` names. It counts only in a request without another credential.",
  },
} as const;

/** Each of these schemes is enough on every route for clients. */
const CLIENT_SCHEMES = [
  "accessToken",
  "accessTokenInQuery",
  "apiKey",
  "apiKeyInAuthorization",
  "apiKeyAsBasic",
  "clientCertificate",
] as const satisfies (keyof typeof securitySchemes)[];

/** Each of these schemes is enough on every route for operators. */
const OPERATOR_SCHEMES = [
  "operator",
  "operatorAsBasic",
  "operatorSession",
  "operatorCertificate",
] as const satisfies (keyof typeof securitySchemes)[];

const securityOf = (auth: AuthNeed): readonly Readonly<Record<string, readonly string[]>>[] => {
  if (auth === "none") return [];
  const schemes = auth === "admin" ? OPERATOR_SCHEMES : CLIENT_SCHEMES;
  return schemes.map((scheme) => ({ [scheme]: [] }));
};

const contentOf = (content: Content, book: SchemaBook, io: "input" | "output"): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(content).map(([mediaType, schema]) => [mediaType, { schema: book.write(schema, io) }]),
  );

const parametersIn = (
  place: "path" | "query" | "header",
  parameters: Readonly<Record<string, Parameter>> = {},
  book: SchemaBook,
): readonly Operation[] =>
  Object.entries(parameters).map(([name, { description, schema }]) => ({
    name,
    in: place,
    required: place === "path",
    description,
    schema: book.write(schema, "input"),
  }));

interface Drawn {
  readonly schema: JsonSchema;
}

/** The content of two answers with one status: a body has the schema of one of them. */
const joined = (one: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> => {
  const both = { ...one };
  for (const [mediaType, drawn] of Object.entries(other) as [string, Drawn][]) {
    const before = both[mediaType] as Drawn | undefined;
    const options =
      (before?.schema["anyOf"] as readonly JsonSchema[] | undefined) ?? (before && [before.schema]) ?? [];
    const isKnown = options.some((option) => JSON.stringify(option) === JSON.stringify(drawn.schema));
    if (before === undefined) both[mediaType] = drawn;
    else if (!isKnown) both[mediaType] = { schema: { anyOf: [...options, drawn.schema] } };
  }
  return both;
};

interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Record<string, unknown>;
}

const responseOf = ({ description, content, headers }: Answer, book: SchemaBook): Response => ({
  description,
  ...(headers && {
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [
        name,
        { description: text, schema: { type: "string" } },
      ]),
    ),
  }),
  ...(content && { content: contentOf(content, book, "output") }),
});

const merged = (one: Response | undefined, other: Response): Response =>
  one === undefined
    ? other
    : {
        description: `${one.description}\n\n${other.description}`,
        ...((one.headers ?? other.headers) && { headers: { ...one.headers, ...other.headers } }),
        content: joined(one.content ?? {}, other.content ?? {}),
      };

const responsesOf = (
  route: Route,
  documentation: Documentation,
  book: SchemaBook,
): Record<string, Response> => {
  const responses: Record<string, Response> = {};
  const add = (status: number, answer: Answer): void => {
    responses[status] = merged(responses[status], responseOf(answer, book));
  };
  for (const [status, answer] of Object.entries(documentation.answers)) add(Number(status), answer);
  for (const { status, ...answer } of errorAnswers(route, documentation)) add(status, answer);
  return responses;
};

/** With the least role of a route for operators. */
const descriptionOf = (route: Route, { description }: Documentation): string | undefined => {
  if (route.auth !== "admin") return description;
  const role = `Needs the role ${leastRole(route)}.`;
  return description === undefined ? role : `${description}\n\n${role}`;
};

/** The operation of a documented route. */
export const operationOf = (route: Route, documentation: Documentation, book: SchemaBook): Operation => {
  const { id, tag, summary, path, query, headers, body } = documentation;
  const description = descriptionOf(route, documentation);
  const parameters = [
    ...parametersIn("path", path, book),
    ...parametersIn("query", query, book),
    ...parametersIn("header", headers, book),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: body.optional !== true, content: contentOf(body.content, book, "input") },
    }),
    security: securityOf(route.auth),
    responses: responsesOf(route, documentation, book),
  };
};

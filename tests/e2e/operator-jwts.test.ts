/** JWTs of the operators' identity provider at the real program. */
import { jest } from "@jest/globals";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { type IdentityProvider, providerKey, startIdentityProvider } from "../support/identity-provider.ts";

jest.setTimeout(60_000);

let provider: IdentityProvider;
let gateway: Gateway;

beforeEach(async () => {
  provider = await startIdentityProvider();
  gateway = await startGateway({
    settings: {
      admin: {
        ...{ host: "127.0.0.1", port: 0, publicUrl: "http://127.0.0.1:4445" },
        oidc: {
          ...{ issuer: provider.issuer, clientId: "console", audience: "gateway-admin" },
          roles: { operator: ["ops"] },
        },
      },
      stations: [{ name: "orders" }],
    },
  });
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  await provider.stop();
});

const jwt = (groups: readonly string[]): string =>
  provider.token({ aud: "gateway-admin", groups, preferred_username: "Ann" });

const ask = (path: string, token: string, method = "GET"): Promise<Response> =>
  fetch(gateway.adminUrl + path, { method, headers: { authorization: `Bearer ${token}` } });

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
};

it("a tail ends when the key of its token leaves the set", async () => {
  const token = jwt(["ops"]);
  const tail = await ask("/stations/orders/tail", token);
  expect(tail.status).toBe(200);
  const ended = tail.text();
  provider.keys = [providerKey("second")];
  // An unknown key causes a fetch.
  expect((await ask("/session", jwt(["ops"]))).status).toBe(200);
  await ended;
  expect((await ask("/session", token)).status).toBe(401);
});

it("a change without a role is audited with the name and the subject", async () => {
  const answer = await ask("/connectors/crm", jwt([]), "DELETE");
  expect(answer.status).toBe(403);
  await until(() => gateway.output().includes('"msg":"audit"'));
  const line =
    gateway
      .output()
      .split("\n")
      .find((text) => text.includes('"msg":"audit"')) ?? "{}";
  expect(JSON.parse(line)).toMatchObject({
    ...{ action: "connector.delete", actor: "Ann", via: "bearer", target: "crm" },
    subject: { iss: provider.issuer, sub: "ann" },
    ...{ outcome: "refused", status: 403 },
  });
});

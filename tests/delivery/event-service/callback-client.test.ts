import {
  callbackUrlOf,
  isForIn,
  isOwned,
  listOf,
  type CallbackClient,
} from "../../../src/delivery/event-service/callback-client.ts";
import type { BusinessEvent } from "../../../src/delivery/event-service/event.ts";

const wallet: CallbackClient = {
  name: "lobstr",
  domains: ["Lobstr.co", "app.lobstr.co"],
  signingKeys: [],
  callbackUrls: { sep24: "http://24", sep12: "http://12", transaction_error: "http://error" },
};

const exchange: CallbackClient = {
  name: "exchange",
  domains: [],
  signingKeys: ["GA", "GB", "GA"],
  callbackUrls: { sep24: "http://exchange" },
};

const event = (details: Partial<BusinessEvent> = {}): BusinessEvent => ({
  id: "e1",
  type: "transaction_created",
  subject: "transaction",
  content: new Map(),
  subjectId: "t1",
  sep: "24",
  clientName: undefined,
  clientDomain: undefined,
  creatorAccount: undefined,
  ...details,
});

const customer = event({ type: "customer_updated", subject: "customer", sep: undefined });
const quote = event({ type: "quote_created", subject: "quote" });

describe("the client's URL for an event", () => {
  it.each<[string, Partial<BusinessEvent>, string | undefined]>([
    ["is the URL of its SEP", {}, "http://24"],
    ["is the URL of its type before the URL of its SEP", { type: "transaction_error" }, "http://error"],
    ["is missing for a SEP without URL", { sep: "6" }, undefined],
    ["is missing without a SEP", { sep: undefined, type: "transaction_error" }, undefined],
    ["is missing for a transaction of a SEP without transactions", { sep: "12" }, undefined],
    ["is the URL of sep12 for a customer", customer, "http://12"],
    ["is missing for a quote", quote, undefined],
  ])("%s", (_, details, url) => {
    expect(callbackUrlOf(wallet, event(details), "sep")).toBe(url);
  });

  it("is the URL of the type for a platform transaction without a SEP", () => {
    const transaction = event({ sep: undefined, type: "transaction_error" });
    expect(callbackUrlOf(wallet, transaction, "platform")).toBe("http://error");
  });

  it("is missing for a quote, also if its type has a URL", () => {
    const client = { ...wallet, callbackUrls: { quote_created: "http://q" } };
    expect(callbackUrlOf(client, quote, "platform")).toBeUndefined();
  });
});

describe("a transaction", () => {
  const clients = [wallet, exchange];

  it.each<[string, Partial<BusinessEvent>, readonly string[]]>([
    ["with the client's name", { clientName: "lobstr", clientDomain: "other.co" }, ["lobstr"]],
    ["with another name and the client's domain", { clientName: "x", clientDomain: "lobstr.co" }, []],
    ["with the client's domain, in any case", { clientDomain: "lobstr.co" }, ["lobstr"]],
    ["with another domain and the client's key", { clientDomain: "x.co", creatorAccount: "GA" }, []],
    ["created by the client's key", { creatorAccount: "GB" }, ["exchange"]],
    ["created by another key", { creatorAccount: "GX" }, []],
    ["without any client field", {}, []],
  ])("%s belongs to its client only", (_, details, names) => {
    const transaction = event(details);
    const isFor = isForIn("own", clients);
    expect(clients.filter((client) => isFor(client, transaction)).map(({ name }) => name)).toStrictEqual(
      names,
    );
    expect(isOwned(transaction, clients)).toBe(names.length > 0);
  });

  it.each<[string, Partial<BusinessEvent>, number]>([
    ["of a client is sent to this client", { clientName: "lobstr" }, 1],
    ["created by a client's key is sent to this client", { creatorAccount: "GA" }, 1],
    ["of an unknown domain is sent to no client", { clientDomain: "x.co" }, 0],
    ["without owner and without client fields is sent to each client", { creatorAccount: "GX" }, 2],
  ])("%s, with own_and_unnamed", (_, details, count) => {
    const isFor = isForIn("own_and_unnamed", clients);
    expect(clients.filter((client) => isFor(client, event(details)))).toHaveLength(count);
  });

  it("is sent to each client with transactions: all", () => {
    const isFor = isForIn("all", clients);
    expect(clients.filter((client) => isFor(client, event({ clientName: "x" })))).toHaveLength(2);
  });
});

it("a client's group is named by its distinct keys or domains, as written", () => {
  expect([listOf(wallet), listOf(exchange)]).toStrictEqual(["Lobstr.co,app.lobstr.co", "GA,GB"]);
});

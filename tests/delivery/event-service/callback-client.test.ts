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

describe("the URL of an event at a client", () => {
  it.each<[string, Partial<BusinessEvent>, string | undefined]>([
    ["of its SEP", {}, "http://24"],
    ["of its type, before that of its SEP", { type: "transaction_error" }, "http://error"],
    ["none, for a SEP without one", { sep: "6" }, undefined],
    ["none, without a SEP", { sep: undefined, type: "transaction_error" }, undefined],
    ["none, for a transaction of a SEP that has no transactions", { sep: "12" }, undefined],
    ["sep12 for a customer", customer, "http://12"],
    ["none for a quote", quote, undefined],
  ])("%s", (_, details, url) => {
    expect(callbackUrlOf(wallet, event(details), "sep")).toBe(url);
  });

  it("is that of the type for a platform's transaction without a SEP", () => {
    const told = event({ sep: undefined, type: "transaction_error" });
    expect(callbackUrlOf(wallet, told, "platform")).toBe("http://error");
  });

  it("is none for a quote, even where its type has a URL", () => {
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
    ["that says nothing", {}, []],
  ])("%s belongs to its client only", (_, details, names) => {
    const told = event(details);
    const isFor = isForIn("own", clients);
    expect(clients.filter((client) => isFor(client, told)).map(({ name }) => name)).toStrictEqual(names);
    expect(isOwned(told, clients)).toBe(names.length > 0);
  });

  it.each<[string, Partial<BusinessEvent>, number]>([
    ["of a client goes to that one", { clientName: "lobstr" }, 1],
    ["created by a client's key goes to that one", { creatorAccount: "GA" }, 1],
    ["of a stranger goes to none", { clientDomain: "x.co" }, 0],
    ["that is nobody's and names nobody goes to each", { creatorAccount: "GX" }, 2],
  ])("%s, with own_and_unnamed", (_, details, count) => {
    const isFor = isForIn("own_and_unnamed", clients);
    expect(clients.filter((client) => isFor(client, event(details)))).toHaveLength(count);
  });

  it("goes to each client with all", () => {
    const isFor = isForIn("all", clients);
    expect(clients.filter((client) => isFor(client, event({ clientName: "x" })))).toHaveLength(2);
  });
});

it("names a client's group by its keys or domains, as written, each once", () => {
  expect([listOf(wallet), listOf(exchange)]).toStrictEqual(["Lobstr.co,app.lobstr.co", "GA,GB"]);
});

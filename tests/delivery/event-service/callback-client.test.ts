import { callbackUrlOf, type CallbackClient } from "../../../src/delivery/event-service/callback-client.ts";
import type { BusinessEvent } from "../../../src/delivery/event-service/event.ts";

const client: CallbackClient = {
  name: "lobstr",
  domains: ["lobstr.co"],
  callbackUrls: { sep24: "http://24", sep12: "http://12", transaction_error: "http://error" },
};

const event = (details: Partial<BusinessEvent> = {}): BusinessEvent => ({
  id: "e1",
  type: "transaction_created",
  subject: "transaction",
  source: "{}",
  subjectId: "t1",
  sep: "24",
  clientName: undefined,
  clientDomain: undefined,
  ...details,
});

const customer = event({ type: "customer_updated", subject: "customer", sep: undefined });
const quote = event({ type: "quote_created", subject: "quote" });

describe("the URL of an event at a client", () => {
  it.each<[string, Partial<BusinessEvent>, string | undefined]>([
    ["of its SEP", {}, "http://24"],
    ["of its type, before that of its SEP", { type: "transaction_error" }, "http://error"],
    ["none, for a SEP without one", { sep: "6" }, undefined],
    ["none, without a SEP", { sep: undefined }, undefined],
    ["sep12 for a customer", customer, "http://12"],
    ["none for a quote", quote, undefined],
    ["the client's name", { clientName: "lobstr", clientDomain: "other.co" }, "http://24"],
    ["another's name", { clientName: "vibrant" }, undefined],
    [
      "another's name with the client's domain",
      { clientName: "vibrant", clientDomain: "lobstr.co" },
      undefined,
    ],
    ["the client's domain", { clientDomain: "lobstr.co" }, "http://24"],
    ["another's domain", { clientDomain: "vibrant.co" }, undefined],
  ])("%s", (_, details, url) => {
    expect(callbackUrlOf(client, event(details))).toBe(url);
  });

  it("is none for a quote, even where its type has a URL", () => {
    expect(callbackUrlOf({ ...client, callbackUrls: { quote_created: "http://q" } }, quote)).toBeUndefined();
  });
});

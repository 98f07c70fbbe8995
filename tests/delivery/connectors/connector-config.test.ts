import {
  familyOf,
  needsRegistry,
  parseConnectorConfig,
  writesLettersTo,
} from "../../../src/delivery/connectors/connector-config.ts";

describe("the class of a configuration", () => {
  it.each([
    [undefined, "nz.ac.auckland.kafka.http.sink.HttpSinkConnector"],
    ["HttpSink", "nz.ac.auckland.kafka.http.sink.HttpSinkConnector"],
  ])("%s is %s", (given, full) => {
    expect(familyOf(given)?.classes[0]).toBe(full);
  });

  it("is the only fault if it is unknown", () => {
    const parsed = parseConnectorConfig("crm", { "connector.class": "FileStreamSink" });

    expect(parsed).toMatchObject({
      faults: [
        {
          key: "connector.class",
          message: expect.stringMatching(
            /^Failed to find any class that implements Connector and which name matches FileStreamSink, available connectors are: nz\.ac\.auckland/,
          ) as unknown,
        },
      ],
    });
  });
});

describe("what a configuration depends on", () => {
  it.each(["dead.letter.topic", "errors.deadletterqueue.topic.name"])("%s takes dead letters", (key) => {
    expect(writesLettersTo({ [key]: "dead" }, "dead")).toBe(true);
    expect(writesLettersTo({ [key]: "dead" }, "other")).toBe(false);
    expect(writesLettersTo({ [key]: "dead" }, undefined)).toBe(false);
  });

  it("is the registry, if values are decoded or converted", () => {
    expect(needsRegistry({ decode: "json" })).toBe(true);
    expect(needsRegistry({ "value.converter": "x" })).toBe(true);
    expect(needsRegistry({ topics: "orders" })).toBe(false);
  });
});

import { GatewayError } from "../../../src/errors.ts";
import { isStationName, parseStationName } from "../../../src/ingest/stations.ts";

const CHARACTERS = "Only alphanumeric and the '_', '-', '.' characters are allowed in Station";
const ENDS = "Station name can not start or end with non alphanumeric character";
const LENGTH = "Station should be under 128 characters";

describe("parseStationName", () => {
  it.each([
    ["orders", "orders"],
    ["Orders.EU_2-x", "orders.eu_2-x"],
    ["0", "0"],
    ["A".repeat(128), "a".repeat(128)],
  ])("accepts %s", (raw, name) => {
    expect(parseStationName(raw)).toBe(name);
    expect(isStationName(name)).toBe(true);
  });

  it.each([
    ["a b", CHARACTERS],
    ["a/b", CHARACTERS],
    ["a$", CHARACTERS],
    ["\u212a", CHARACTERS],
    ["\u0130stanbul", CHARACTERS],
    ["é", CHARACTERS],
    ["a\n", CHARACTERS],
    ["a\0b", CHARACTERS],
    [".a", ENDS],
    ["a-", ENDS],
    ["_", ENDS],
    ["..", ENDS],
    ["a".repeat(129), LENGTH],
    ["$".repeat(129), LENGTH],
    ["__consumer_offsets", ENDS],
  ])("refuses %j", (raw, message) => {
    expect(() => parseStationName(raw)).toThrow(new GatewayError("STATION_NAME_INVALID", { message }));
    expect(isStationName(raw)).toBe(false);
  });

  it("throws ROUTE_UNKNOWN for an empty name", () => {
    expect(() => parseStationName("")).toThrow(new GatewayError("ROUTE_UNKNOWN"));
    expect(isStationName("")).toBe(false);
  });

  it("isStationName refuses upper case", () => {
    expect(isStationName("Orders")).toBe(false);
  });
});

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { GatewayError } from "../../../src/errors.ts";
import { loadRegistrySchema } from "../../../src/ingest/schema/registry.ts";
import type { RegistryDeclaration, StationFault } from "../../../src/ingest/schema/validator.ts";
import { createFakeRegistry } from "../../support/fake-registry.ts";

const setUp = async (declared: Partial<RegistryDeclaration> = {}) => {
  const registry = createFakeRegistry();
  const faults: StationFault[] = [];
  const declaration = { type: "registry", version: "latest", autoRegister: false, ...declared } as const;
  const validator = await loadRegistrySchema(declaration, {
    ...{ station: "orders", topic: "shop.orders", hasPointer: false, limits: { maxDepth: 20 } },
    ...{ registry, onFault: (fault: StationFault) => faults.push(fault) },
  });
  const current = async (): Promise<string> => {
    const found = await validator.current();
    return found instanceof GatewayError ? `${found.code}: ${found.message}` : `${found.subject} ${found.id}`;
  };
  return { registry, faults, validator, current };
};

describe("the schema of a registry station", () => {
  it("is the latest version of the topic's value subject by default", async () => {
    const { registry, current, validator } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    registry.add("shop.orders-value", "AVRO");
    expect(await current()).toBe("shop.orders-value 2");
    expect(registry.asked).toEqual([{ of: { subject: "shop.orders-value" }, by: "latest" }]);
    expect(validator).toMatchObject({ kind: "registry", subject: "shop.orders-value" });
    expect(validator.current()).not.toBeInstanceOf(Promise);
  });

  it("is the version and the subject of the settings", async () => {
    const { registry, current } = await setUp({ subject: "orders", version: 1 });
    registry.add("orders", "AVRO");
    registry.add("orders", "AVRO");
    expect(await current()).toBe("orders 1");
  });

  it("is found by the text of its file, which autoRegister may register", async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "schema-")), "a.avsc");
    writeFileSync(file, "register");
    const { current, faults } = await setUp({ format: "avro", file });
    expect(await current()).toMatch(
      /^REGISTRY_UNAVAILABLE: The schema of station orders can't be used: .* has no text$/,
    );
    expect(faults).toHaveLength(1);
    const registering = await setUp({ format: "json", file, autoRegister: true });
    expect(await registering.current()).toBe("shop.orders-value 1");
    expect(registering.registry.asked).toEqual([
      {
        of: { subject: "shop.orders-value" },
        by: "text",
        type: "JSONSCHEMA",
        text: "register",
        register: true,
      },
    ]);
  });

  it("can't be used until the subject exists, and one log line tells the operator", async () => {
    const { registry, faults, current } = await setUp();
    const fault =
      "REGISTRY_UNAVAILABLE: The schema of station orders can't be used: shop.orders-value has no latest";
    expect([await current(), await current()]).toEqual([fault, fault]);
    registry.add("shop.orders-value", "AVRO");
    expect(await current()).toBe("shop.orders-value 1");
    expect(faults).toEqual([
      { station: "orders", subject: "shop.orders-value", reason: "shop.orders-value has no latest" },
    ]);
  });

  it("must have the format and the message of the settings", async () => {
    const { registry, faults, current } = await setUp({ format: "protobuf", message: "a.Third" });
    registry.add("shop.orders-value", "PROTOBUF");
    expect(await current()).toMatch(/\(id 1\) does not declare the message a\.Third$/);
    const other = await setUp({ format: "protobuf" });
    other.registry.add("shop.orders-value", "AVRO");
    expect(await other.current()).toMatch(
      /\(id 1\) has the format AVRO, and the station's format is PROTOBUF$/,
    );
    expect([faults.length, other.faults.length]).toEqual([1, 1]);
  });

  it("is unavailable without a word of the station if the registry is", async () => {
    const { registry, faults, current } = await setUp();
    registry.isDown = true;
    expect(await current()).toBe("REGISTRY_UNAVAILABLE: The schema registry is unavailable");
    expect(faults).toEqual([]);
  });

  it("stops the start if its file can't be read", async () => {
    await expect(setUp({ format: "avro", file: "/nowhere/a.avsc" })).rejects.toThrow(
      /^Station orders: the schema \/nowhere\/a\.avsc can't be used: ENOENT/,
    );
  });
});

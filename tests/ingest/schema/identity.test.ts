import { identityOf } from "../../../src/ingest/schema/identity.ts";

const context = { station: "orders", limits: { maxDepth: 128 } };
const declaration = { type: "protobuf", file: "/s/order.proto", message: "Order" } as const;

/** Reads these files. A code instead of a text is the error of the read. */
const identity = (files: Readonly<Record<string, string | { code: string }>>) =>
  identityOf(declaration, context, (file) => {
    const content = files[file] ?? { code: "ENOENT" };
    return typeof content === "string"
      ? Promise.resolve(Buffer.from(content))
      : Promise.reject(Object.assign(new Error(content.code), content));
  });

const FILE = 'import "money.proto";';

it("is the same for the same contents, also if an import is missing", async () => {
  const missing = await identity({ "/s/order.proto": FILE });

  expect(missing).toBe(await identity({ "/s/order.proto": FILE }));
  expect(missing).not.toBe(await identity({ "/s/order.proto": FILE, "/s/money.proto": "" }));
});

it.each([
  { "/s/order.proto": { code: "EMFILE" } },
  { "/s/order.proto": { code: "ENOENT" } },
  { "/s/order.proto": FILE, "/s/money.proto": { code: "EIO" } },
])("is unknown if the content of a file is: %j", async (files) => {
  expect(await identity(files)).toBeUndefined();
});

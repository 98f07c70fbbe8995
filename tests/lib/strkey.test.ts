import { createPrivateKey, createPublicKey } from "node:crypto";
import { signingKey } from "../../src/delivery/event-service/callbacks.ts";
import { decodeStrkey } from "../../src/lib/strkey.ts";
import { SEED, VECTORS } from "../delivery/event-service/vectors.ts";

const { seed, account } = VECTORS.stellarSignature;

describe("decodeStrkey", () => {
  it("decodes a seed and its account", () => {
    const spki = createPublicKey(createPrivateKey(signingKey(SEED).export({ format: "pem", type: "pkcs8" })));

    expect(SEED).toHaveLength(32);
    expect(spki.export({ format: "der", type: "spki" }).subarray(-32)).toStrictEqual(
      decodeStrkey("account", account),
    );
  });

  it.each([
    ["the other kind", account],
    ["a letter that is another one", seed.replace("AAC", "AAD")],
    ["two letters that changed places", seed.replace("QCQ", "CQQ")],
    ["a letter short", seed.slice(0, -1)],
    ["lower case", seed.toLowerCase()],
    ["nothing", ""],
  ])("refuses a damaged strkey: %s", (_, text) => {
    expect(decodeStrkey("seed", text)).toBeUndefined();
  });
});

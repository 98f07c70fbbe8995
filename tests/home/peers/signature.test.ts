import {
  hashOf,
  peerKeys,
  signed,
  type SignedRequest,
  verifiedBodyHash,
} from "../../../src/home/peers/signature.ts";

const NOW = 1_800_000_000_000;
const [oldKey, newKey] = peerKeys({ secret: undefined, tokenSecrets: ["old", "new"], apiKeys: [] });
const keys = [newKey, oldKey].filter((key) => key !== undefined);
const request: SignedRequest = {
  method: "POST",
  path: "/peer/call?slot=1",
  target: "process-1",
  bodyHash: hashOf(Buffer.from("body")),
};

describe("the signature of a request between processes", () => {
  const verify = (changes: Partial<SignedRequest> = {}, now = NOW, signingKeys = keys): string | undefined =>
    verifiedBodyHash(keys, signed(signingKeys, request, NOW), { ...request, ...changes }, now);

  it("is valid with each of the keys", () => {
    expect(verify()).toBe(request.bodyHash);
    expect(verify({}, NOW, keys.slice(1))).toBe(request.bodyHash);
  });

  it.each([
    ["method", { method: "GET" }],
    ["path", { path: "/peer/call?slot=2" }],
    ["target process", { target: "process-2" }],
  ])("is invalid for another %s", (_, changes) => {
    expect(verify(changes)).toBeUndefined();
  });

  it.each([30_000, -30_000])("is valid with a clock difference of %i ms", (difference) => {
    expect(verify({}, NOW + difference)).toBe(request.bodyHash);
  });

  it.each([30_001, -30_001])("is invalid with a clock difference of %i ms", (difference) => {
    expect(verify({}, NOW + difference)).toBeUndefined();
  });

  it("is invalid with another key", () => {
    const foreign = peerKeys({ secret: "foreign", tokenSecrets: [], apiKeys: [] });
    expect(verify({}, NOW, [...foreign])).toBeUndefined();
  });

  it("is invalid for another body hash", () => {
    const header = signed(keys, request, NOW).replace(request.bodyHash, hashOf(Buffer.from("other")));
    expect(verifiedBodyHash(keys, header, request, NOW)).toBeUndefined();
  });

  it.each([
    undefined,
    "",
    "process-1",
    "process-1;x;y;z",
    `process-1;${NOW};${"0".repeat(64)};${"0".repeat(63)}`,
  ])("is invalid in the header %p", (header) => {
    expect(verifiedBodyHash(keys, header, request, NOW)).toBeUndefined();
  });
});

describe("the keys of the peer port", () => {
  const apiKeys = ["b", "a"];

  it("come from reading.peer.secret alone if it is set", () => {
    expect(peerKeys({ secret: "s", tokenSecrets: ["t"], apiKeys })).toHaveLength(1);
    expect(peerKeys({ secret: "s", tokenSecrets: ["t"], apiKeys })).toEqual(
      peerKeys({ secret: "s", tokenSecrets: [], apiKeys: [] }),
    );
  });

  it("come from the token secrets, one for each", () => {
    expect(peerKeys({ secret: undefined, tokenSecrets: ["t", "u"], apiKeys })).toHaveLength(2);
  });

  it("come from all API keys together, in any order, without token secrets", () => {
    const of = (keysInOrder: string[]) =>
      peerKeys({ secret: undefined, tokenSecrets: [], apiKeys: keysInOrder });
    expect(of(["a", "b"])).toEqual(of(["b", "a"]));
    expect(of(["a", "b"])).not.toEqual(of(["a"]));
  });

  it("don't exist without any secret", () => {
    expect(peerKeys({ secret: undefined, tokenSecrets: [], apiKeys: [] })).toEqual([]);
  });
});

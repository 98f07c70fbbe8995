import { createKeyRing } from "../../../src/home/peers/key-ring.ts";
import { peerKeys, type PeerSecrets } from "../../../src/home/peers/signature.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const MINUTE = 60_000;

const secretsWith = (...apiKeys: readonly string[]): PeerSecrets => ({
  secret: undefined,
  tokenSecrets: [],
  apiKeys,
});

const keyOf = (...apiKeys: readonly string[]): string | undefined =>
  peerKeys(secretsWith(...apiKeys))[0]?.toString("hex");

const rig = () => {
  const clock = createFakeClock();
  const ring = createKeyRing(clock);
  const signing = (): string | undefined => ring.keys()[0]?.toString("hex");
  const accepts = (...apiKeys: readonly string[]): boolean =>
    ring.keys().some((key) => key.toString("hex") === keyOf(...apiKeys));
  return { clock, ring, signing, accepts };
};

it("signs with the key of the earlier API keys for two minutes, and accepts it for five", () => {
  const { clock, ring, signing, accepts } = rig();
  ring.use(secretsWith("a", "b"));
  ring.use(secretsWith("b"));
  expect([signing(), accepts("a", "b"), accepts("b")]).toEqual([keyOf("a", "b"), true, true]);
  clock.advance(2 * MINUTE);
  expect([signing(), accepts("a", "b"), accepts("b")]).toEqual([keyOf("b"), true, true]);
  clock.advance(3 * MINUTE);
  expect([signing(), accepts("a", "b"), accepts("b")]).toEqual([keyOf("b"), false, true]);
});

it("signs with the earlier key for two minutes also after the time of the machine is set back", () => {
  const { clock, ring, signing, accepts } = rig();
  ring.use(secretsWith("a", "b"));
  ring.use(secretsWith("b"));
  clock.set(clock.now() - 60 * MINUTE);
  clock.advance(2 * MINUTE);
  expect(signing()).toBe(keyOf("b"));
  clock.advance(3 * MINUTE);
  expect(accepts("a", "b")).toBe(false);
});

it("lets gateways that reload within two minutes accept each other at any time", () => {
  const { clock, ring: first } = rig();
  const second = createKeyRing(clock);
  for (const ring of [first, second]) ring.use(secretsWith("a", "b"));
  const understand = (): boolean =>
    [
      [first, second],
      [second, first],
    ].every(([from, to]) => to?.keys().some((key) => key.equals(from?.keys()[0] ?? Buffer.alloc(0))));
  first.use(secretsWith("b"));
  for (let minute = 0; minute < 10; minute += 1) {
    expect(understand()).toBe(true);
    if (minute === 1) second.use(secretsWith("b"));
    clock.advance(MINUTE);
  }
});

it("forgets a key when none of its API keys is in use any more", () => {
  const { ring, signing, accepts } = rig();
  ring.use(secretsWith("leaked"));
  ring.use(secretsWith("leaked", "new"));
  ring.use(secretsWith("new"));
  expect([signing(), accepts("leaked"), accepts("leaked", "new")]).toEqual([
    keyOf("leaked", "new"),
    false,
    true,
  ]);
  ring.use(secretsWith("other"));
  expect(ring.keys()).toHaveLength(1);
});

it.each<[string, PeerSecrets]>([
  ["a secret of the peers", { ...secretsWith("a"), secret: "s" }],
  ["secrets of tokens", { ...secretsWith("a"), tokenSecrets: ["t"] }],
])("knows only the present keys with %s", (_, secrets) => {
  const { ring } = rig();
  ring.use(secretsWith("a"));
  ring.use(secrets);
  expect(ring.keys()).toEqual(peerKeys(secrets));
  ring.use({ ...secrets, secret: "other" });
  expect(ring.keys()).toEqual(peerKeys({ ...secrets, secret: "other" }));
});

it("keeps a bounded number of earlier keys", () => {
  const { ring } = rig();
  for (let n = 0; n < 100; n += 1) ring.use(secretsWith("a", `b${n}`));
  expect(new Set(ring.keys()).size).toBe(11);
});

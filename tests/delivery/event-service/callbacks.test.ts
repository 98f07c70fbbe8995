import {
  callbackTarget,
  signingKey,
  stellarSignature,
} from "../../../src/delivery/event-service/callbacks.ts";
import { isSigned, SEED, VECTORS } from "./vectors.ts";

const { t, body, cases } = VECTORS.stellarSignature;

describe("the Signature header", () => {
  it.each(cases)(
    "equals a Stellar library's for $url, and the account's key verifies it",
    ({ url, host, s }) => {
      const signature = stellarSignature(signingKey(SEED), {
        t,
        host: callbackTarget(url).host,
        body: Buffer.from(body),
      });

      expect(signature).toBe(`t=${t}, s=${s}`);
      expect(isSigned(signature, host, body)).toBe(true);
      expect(isSigned(signature, `${host}0`, body)).toBe(false);
      expect(isSigned(signature, host, `${body} `)).toBe(false);
    },
  );

  it.each([
    ["https://wallet.example.com:443/cb?x=1", "wallet.example.com:443", "/cb?x=1"],
    ["http://[::1]:80", "[::1]:80", "/"],
    ["https://Wallet.example.com?x", "Wallet.example.com", "/?x"],
  ])("signs the host of %s as it is written", (url, host, path) => {
    expect(callbackTarget(url)).toMatchObject({ host, path });
  });
});

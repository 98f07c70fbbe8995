/** The token of the process: when it is fetched, and what happens while the endpoint is unavailable. */
import { SignInFailure } from "../../../../src/broker/kafka/sign-in/sasl.ts";
import {
  createTokenSource,
  type FetchedToken,
  type TokenSource,
} from "../../../../src/broker/kafka/sign-in/token-source.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";

const MINUTE = 60_000;

describe("the token of the process", () => {
  let clock: ReturnType<typeof createFakeClock>;
  let fetches: { resolve: (fetched: FetchedToken) => void; reject: (error: Error) => void }[];
  let outcomes: string[];
  let failures: string[];
  let source: TokenSource;

  beforeEach(() => {
    clock = createFakeClock();
    fetches = [];
    outcomes = [];
    failures = [];
    source = createTokenSource({
      clock,
      fetch: () =>
        new Promise((resolve, reject) => {
          fetches.push({ resolve, reject });
        }),
      onFetch: (outcome) => outcomes.push(outcome),
      onFailure: ({ message }) => failures.push(message),
    });
  });

  const answer = async (token: string, lifetime = 10 * MINUTE): Promise<void> => {
    fetches.at(-1)?.resolve({ token, lifetime });
    await new Promise(setImmediate);
  };
  const fail = async (message = "away"): Promise<void> => {
    fetches.at(-1)?.reject(new SignInFailure(message));
    await new Promise(setImmediate);
  };

  it("is fetched once for all connections that ask at the same time", async () => {
    const asked = [source.token(), source.token(), source.token()];
    await answer("one");
    expect(await Promise.all(asked)).toEqual(["one", "one", "one"]);
    expect(await source.token()).toBe("one");
    expect(fetches).toHaveLength(1);
    expect(outcomes).toEqual(["ok"]);
  });

  it("is renewed at four fifths of its lifetime without being asked for", async () => {
    const asked = source.token();
    await answer("one");
    await asked;
    clock.advance(8 * MINUTE - 1);
    expect(fetches).toHaveLength(1);
    clock.advance(1);
    expect(fetches).toHaveLength(2);
    expect(await source.token()).toBe("one");
    await answer("two");
    expect(await source.token()).toBe("two");
  });

  it("is used until a second before its end while the endpoint is unavailable, and its failures are reported once", async () => {
    const asked = source.token();
    await answer("one");
    await asked;
    clock.advance(8 * MINUTE);
    await fail();
    for (const pause of [1000, 2000, 4000, 8000, 16_000, 30_000]) {
      const before = fetches.length;
      clock.advance(pause - 1);
      expect(fetches).toHaveLength(before);
      clock.advance(1);
      expect(fetches).toHaveLength(before + 1);
      await fail();
    }
    expect(await source.token()).toBe("one");
    clock.advance(2 * MINUTE - 61_000 - 1000 - 1);
    expect(await source.token()).toBe("one");
    clock.advance(1);
    const expired = source.token();
    await Promise.all([expect(expired).rejects.toThrow("still away"), fail("still away")]);
    expect(failures).toEqual(["away"]);
  });

  it("is not fetched again before the pause after a failure is over", async () => {
    const first = source.token();
    await Promise.all([expect(first).rejects.toThrow(new SignInFailure("away")), fail()]);
    await expect(source.token()).rejects.toThrow("away");
    expect(fetches).toHaveLength(1);
    clock.advance(1000);
    const second = source.token();
    await answer("one");
    expect(await second).toBe("one");
    expect(outcomes).toEqual(["failed", "ok"]);
  });

  it("is not fetched after the close", async () => {
    const asked = source.token();
    await answer("one");
    await asked;
    source.close();
    clock.advance(20 * MINUTE);
    expect(fetches).toHaveLength(1);
    await expect(source.token()).rejects.toThrow("shutting down");
  });
});

import { createTurn } from "../../src/once/turn.ts";

const turnOver = (): Promise<void> => new Promise(setImmediate);

describe("Turn", () => {
  it("hands everything over at the end of the turn, and acknowledgements last", async () => {
    const turn = createTurn();
    const seen: string[] = [];
    turn.acknowledged(() => seen.push("intents"));
    turn.input(() => seen.push("call"));
    turn.input(() => seen.push("append"));
    expect(seen).toEqual([]);
    await turnOver();
    expect(seen).toEqual(["call", "append", "intents"]);
  });

  it("leaves what an input brings to the next turn", async () => {
    const turn = createTurn();
    const seen: string[] = [];
    turn.input(() => {
      seen.push("first");
      turn.input(() => seen.push("second"));
    });
    turn.acknowledged(() => seen.push("intents"));
    await turnOver();
    expect(seen).toEqual(["first", "intents"]);
    await turnOver();
    expect(seen).toEqual(["first", "intents", "second"]);
  });
});

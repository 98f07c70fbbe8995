/**
 * Hands the inputs of the slots over at the end of a turn of the event loop, and acknowledged intents last. So the groups that
 * begin then take all events that came in this turn, and the appends of all slots begin together.
 */
export interface Turn {
  /** Calls `input` at the end of this turn. */
  input(input: () => void): void;
  /** As `input`, but behind the inputs of this turn. */
  acknowledged(input: () => void): void;
}

export const createTurn = (): Turn => {
  let inputs: (() => void)[] = [];
  let acknowledged: (() => void)[] = [];
  const end = (): void => {
    const all = [...inputs, ...acknowledged];
    inputs = [];
    acknowledged = [];
    for (const input of all) input();
  };
  const add = (list: (() => void)[], input: () => void): void => {
    if (inputs.length + acknowledged.length === 0) setImmediate(end);
    list.push(input);
  };
  return {
    input: (input) => {
      add(inputs, input);
    },
    acknowledged: (input) => {
      add(acknowledged, input);
    },
  };
};

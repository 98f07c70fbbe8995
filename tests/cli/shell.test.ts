import { fakeShell } from "./support.ts";

it("ends the process at the second signal", () => {
  const shell = fakeShell();
  const interruption = shell.interruption();
  shell.signal();
  expect(interruption.aborted).toBe(true);
  expect(shell.exits).toEqual([]);
  shell.signal();
  expect(shell.exits).toEqual([130]);
});

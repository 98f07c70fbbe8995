import type { Admin } from "kafkajs";
import { createAdminCalls } from "../../../src/broker/kafka/admin-calls.ts";

/** Each admin client is a number. */
const world = () => {
  const disconnected: number[] = [];
  let opened = 0;
  const calls = createAdminCalls({
    admin: () => {
      const id = (opened += 1);
      const admin = {
        id,
        connect: () => Promise.resolve(),
        disconnect: () => Promise.resolve(void disconnected.push(id)),
      };
      return admin as unknown as Admin;
    },
  });
  return { calls, disconnected };
};

const idOf = (admin: Admin): Promise<number> => Promise.resolve((admin as unknown as { id: number }).id);
const fail = (error: Error) => (): Promise<never> => Promise.reject(error);

it("keeps the connection of the other calls when one of them fails, and connects anew", async () => {
  const { calls, disconnected } = world();
  let answer = (): void => undefined;
  const other = calls.call(
    (admin) =>
      new Promise<number>((resolve) => {
        answer = () => {
          resolve(idOf(admin));
        };
      }),
  );
  await expect(calls.call(fail(new Error("Not supported")))).rejects.toMatchObject({
    code: "BROKER_UNAVAILABLE",
  });
  expect(disconnected).toEqual([]);
  expect(await calls.call(idOf)).toBe(2);
  answer();
  expect(await other).toBe(1);
  expect(disconnected).toEqual([1]);
  expect(await calls.call(idOf)).toBe(2);
});

it("keeps the connection when the broker refuses a request", async () => {
  const { calls, disconnected } = world();
  const refused = Object.assign(new Error("refused"), { type: "UNKNOWN_TOPIC_OR_PARTITION" });
  await expect(calls.call(fail(refused))).rejects.toBe(refused);
  expect(await calls.call(idOf)).toBe(1);
  expect(disconnected).toEqual([]);
});

it("disconnects at its close, once", async () => {
  const { calls, disconnected } = world();
  await calls.call(idOf);
  await calls.close();
  await calls.close();
  expect(disconnected).toEqual([1]);
});

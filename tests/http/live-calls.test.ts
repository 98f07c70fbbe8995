import { GatewayError } from "../../src/errors.ts";
import { createLiveCalls, type LiveCall } from "../../src/http/live-calls.ts";

interface Client {
  readonly name: string;
  readonly mayRead: boolean;
}

const setUp = () => {
  /** The clients of the present settings, by name. */
  let present = new Map<string, Client>();
  const reload = (...clients: Client[]) => {
    present = new Map(clients.map((client) => [client.name, client]));
  };
  let renewals = 0;
  const calls = createLiveCalls<Client>(({ name }) => {
    renewals += 1;
    return present.get(name);
  });
  const ended: string[] = [];
  const callOf = (by: Client): LiveCall<Client> => ({
    by,
    require: ({ mayRead }) => {
      if (!mayRead) throw new GatewayError("STATION_FORBIDDEN", { message: "no right" });
    },
    end: ({ code }) => ended.push(`${by.name} ${code}`),
  });
  return { calls, reload, ended, callOf, renewals: () => renewals };
};

const ann = { name: "ann", mayRead: true };
const bob = { name: "bob", mayRead: true };

it("ends the calls whose credential or right is gone, and no others", async () => {
  const { calls, reload, ended, callOf } = setUp();
  const cid = { name: "cid", mayRead: true };
  reload(ann, bob, cid);
  for (const client of [ann, bob, cid]) calls.add(callOf(client));
  await calls.recheck();
  expect(ended).toEqual([]);
  reload({ ...ann }, { ...bob, mayRead: false });
  await calls.recheck();
  expect(ended).toEqual(["bob STATION_FORBIDDEN", "cid UNAUTHORIZED"]);
  await calls.recheck();
  expect(ended).toHaveLength(2);
});

it("forgets a removed call", async () => {
  const { calls, reload, ended, callOf } = setUp();
  reload(ann);
  calls.add(callOf(ann))();
  reload();
  await calls.recheck();
  expect(ended).toEqual([]);
});

it("renews each client once for all its calls", async () => {
  const { calls, reload, callOf, renewals } = setUp();
  reload(ann);
  for (let i = 0; i < 5; i++) calls.add(callOf(ann));
  const before = renewals();
  await calls.recheck();
  expect(renewals() - before).toBe(1);
});

it("checks a new call only if the settings have changed since it was authenticated", () => {
  const { calls, reload, callOf } = setUp();
  const withoutRight = { ...ann, mayRead: false };
  reload(withoutRight);
  expect(() => calls.add(callOf(withoutRight))).not.toThrow();
  expect(() => calls.add(callOf(ann))).toThrow("no right");
  reload();
  expect(() => calls.add(callOf(ann))).toThrow("Unauthorized");
});

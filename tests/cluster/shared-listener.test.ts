import type { Worker } from "node:cluster";
import { EventEmitter, once } from "node:events";
import { connect, Server, Socket } from "node:net";
import { openSharedListener, type SharedListener } from "../../src/cluster/shared-listener.ts";
import type { ToWorker } from "../../src/cluster/messages.ts";

interface Sent {
  readonly message: ToWorker;
  readonly handle: unknown;
  readonly written: (error: Error | null) => void;
}

interface FakeWorker {
  readonly worker: Worker;
  readonly sent: Sent[];
  readonly connections: () => readonly unknown[];
  /** Resolves at the next message. */
  readonly next: () => Promise<void>;
}

/** Records its messages. A message counts as delivered when the test calls `written`. */
const fakeWorker = (): FakeWorker => {
  const sent: Sent[] = [];
  const news = new EventEmitter();
  const send = (message: ToWorker, handle: unknown, _options: unknown, written: Sent["written"]): void => {
    sent.push({ message, handle, written });
    news.emit("sent");
  };
  return {
    worker: { process: { send } } as unknown as Worker,
    sent,
    connections: () => sent.map(({ handle }) => handle).filter((handle) => handle instanceof Socket),
    next: async () => {
      await once(news, "sent");
    },
  };
};

const idOf = ({ message }: Sent): number => (message.type === "connection" ? message.id : 0);

const one = fakeWorker();
const other = fakeWorker();
let present: Worker[];
let listener: SharedListener;
let clients: Socket[];

const arrive = async (): Promise<Socket> => {
  const client = connect(listener.address.port, "127.0.0.1");
  client.on("error", () => undefined);
  clients.push(client);
  await once(client, "connect");
  return client;
};

beforeEach(async () => {
  for (const { sent } of [one, other]) sent.length = 0;
  present = [one.worker, other.worker];
  clients = [];
  listener = await openSharedListener({
    ...{ listener: "public", host: "127.0.0.1", port: 0, backlog: 16 },
    workers: () => present,
  });
});

afterEach(async () => {
  await listener.close();
  for (const client of clients) client.destroy();
  for (const { sent } of [one, other])
    for (const { handle } of sent) if (handle instanceof Socket) handle.destroy();
});

it("passes connections to the workers in turn", async () => {
  for (const worker of [one, other, one, other]) {
    const handed = worker.next();
    await arrive();
    await handed;
  }

  expect([one.connections().length, other.connections().length]).toStrictEqual([2, 2]);
});

it("closes connections while there is no worker", async () => {
  present = [];
  const client = await arrive();
  await once(client.resume(), "close");

  expect([...one.connections(), ...other.connections()]).toStrictEqual([]);
});

it("shares the socket only with workers of this listener", () => {
  present = [one.worker];
  listener.share(one.worker);
  listener.share(other.worker);

  expect(one.sent.map(({ handle }) => handle instanceof Server)).toStrictEqual([true]);
  expect(other.sent).toStrictEqual([]);
});

/** One more client, whose connection `one` is handed. */
const handedToOne = async (): Promise<{ client: Socket; sent: Sent }> => {
  present = [one.worker];
  const handed = one.next();
  const client = await arrive();
  await handed;
  const sent = one.sent.at(-1);
  if (sent === undefined) throw new Error("Nothing was sent");
  return { client, sent };
};

it("closes its copy of a connection when the worker has received it", async () => {
  const { sent } = await handedToOne();
  sent.written(null);

  expect(sent.handle).toHaveProperty("destroyed", false);

  listener.taken(idOf(sent));

  expect(sent.handle).toHaveProperty("destroyed", true);
});

it("passes unsent connections of an ended worker to another worker, and closes sent connections", async () => {
  const onItsWay = await handedToOne();
  onItsWay.sent.written(null);
  const waiting = await handedToOne();
  present = [other.worker];
  listener.reclaim(one.worker);
  await once(onItsWay.client.resume(), "close");

  expect(other.connections()).toStrictEqual([waiting.sent.handle]);
});

it("closes a connection that can't be sent to its worker", async () => {
  const { client, sent } = await handedToOne();
  sent.written(new Error("Channel closed"));

  await once(client.resume(), "close");

  expect(sent.handle).toHaveProperty("destroyed", true);
});

it("refuses connections after it is closed", async () => {
  await listener.close();
  const late = connect(listener.address.port, "127.0.0.1");
  const [error] = (await once(late, "error")) as [NodeJS.ErrnoException];

  expect(error.code).toBe("ECONNREFUSED");
});

/** Filters and transforms of connectors in the real program, with transforms that exceed the limits. */
import { readFile, readdir } from "node:fs/promises";
import { admin } from "../support/connector-api.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";

/** The catastrophic pattern needs more than the age of the universe. */
const RUNAWAY = '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)';
const BOMB = '$count([1..9999999].{"a": $string($)})';

let gateway: Gateway;
let sink: HttpSink;

beforeAll(async () => {
  sink = await startHttpSink();
  gateway = await startGateway({
    settings: {
      // A busy machine may need longer than the default for a good transform.
      delivery: { allowTargets: ["127.0.0.0/8"], sandbox: { timeout: "500ms", memory: "32mb" } },
      stations: [{ name: "orders", partitions: 1 }],
    },
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await sink.close();
});

const produce = async (values: readonly unknown[]): Promise<void> => {
  const answer = await fetch(`${gateway.url}/topics/orders`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await signIn(gateway)}`,
      "content-type": "application/vnd.kafka.json.v2+json",
    },
    body: JSON.stringify({ records: values.map((value) => ({ key: "k", value })) }),
  });
  if (!answer.ok) throw new Error(await answer.text());
};

const create = (name: string, config: Record<string, string>): Promise<unknown> =>
  admin(gateway, "POST", "/connectors", {
    name,
    config: {
      ...{
        topics: "orders",
        "callback.request.url": `${sink.url}/${name}`,
        "callback.request.method": "POST",
      },
      ...config,
    },
  });

const bodiesOf = (name: string): readonly string[] =>
  sink.requests.filter(({ url }) => url === `/${name}`).map(({ body }) => body);

const traceOf = async (name: string): Promise<string | undefined> => {
  const status = (await admin(gateway, "GET", `/connectors/${name}/status`)) as {
    tasks: { trace?: string }[];
  };
  return status.tasks[0]?.trace;
};

const failed = async (name: string): Promise<string> => {
  for (;;) {
    const trace = await traceOf(name);
    if (trace !== undefined) return trace;
  }
};

const childrenOf = async (pid: number): Promise<readonly number[]> => {
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "")),
  );
  return lists.flatMap((list) =>
    list
      .split(" ")
      .filter((text) => text !== "")
      .map(Number),
  );
};

/** A process that has ended may be there until its new parent asks for its end. */
const isAlive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
};

it("sends the results of the records that pass", async () => {
  await produce([{ id: 1, amount: 5 }, { id: 2, amount: 500 }, { id: 3 }, { id: 4, amount: 501 }]);
  await create("large", {
    filter: "data.amount > 100 && topic == 'orders'",
    transform: '{"order": id, "key": $key, "offset": $offset, "topic": $topic}',
  });
  await sink.until(() => bodiesOf("large").length === 2);

  expect(bodiesOf("large").map((body) => JSON.parse(body) as unknown)).toStrictEqual([
    { order: 2, key: '"k"', offset: 1, topic: "orders" },
    { order: 4, key: '"k"', offset: 3, topic: "orders" },
  ]);
  const metrics = await fetch(`${gateway.adminUrl}/metrics`);

  await expect(metrics.text()).resolves.toMatch(
    /stationgate_filter_evaluations_total\{outcome="match"\} 2\n/,
  );
});

it("stops transforms that run away, while another connector goes on", async () => {
  await Promise.all([
    create("runaway", { transform: RUNAWAY, "retry.backoff.sec": "1" }),
    create("bomb", { transform: BOMB, "retry.backoff.sec": "1" }),
    create("steady", { transform: "id" }),
  ]);
  await produce([{ id: 5 }]);
  await sink.until(() => bodiesOf("steady").includes("5"));
  const traces = await Promise.all([failed("runaway"), failed("bomb")]);
  await produce([{ id: 6 }]);
  await sink.until(() => bodiesOf("steady").includes("6"));

  expect(traces).toStrictEqual([
    expect.stringContaining("the transform failed: it has run for longer than 500ms"),
    expect.stringMatching(
      /the transform failed: it has (needed more memory than 32mb|run for longer than 500ms)/,
    ),
  ]);
  expect(bodiesOf("steady")).toStrictEqual(["1", "2", "3", "4", "5", "6"]);
  expect([...bodiesOf("runaway"), ...bodiesOf("bomb")]).toStrictEqual([]);
});

it("gives its child processes no environment, and ends them when it is killed", async () => {
  await create("last", { transform: RUNAWAY });
  const children = await childrenOf(gateway.pid);
  const environments = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/environ`, "utf8")));
  await gateway.stop("SIGKILL");
  for (const pid of children) while (await isAlive(pid)) await new Promise(setImmediate);

  expect(children.length).toBeGreaterThan(0);
  expect(environments.join("")).toBe("");
});

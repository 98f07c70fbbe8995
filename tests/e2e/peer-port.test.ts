/** Gateways on one Kafka, as real processes: whichever of them a client asks, the home of the group answers. */
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";

const TIMEOUT = 90_000;

const peerPorts = (gateway: Gateway): readonly number[] =>
  gateway
    .output()
    .split("\n")
    .filter((line) => line.includes('"listener":"peer"'))
    .map((line) => (JSON.parse(line) as { port: number }).port);

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 100));
};

const sampleOf = async (gateway: Gateway, name: string): Promise<number> => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `)) ?? "";
  return Number(line.slice(name.length));
};

const slotsThatCame = (gateway: Gateway): Promise<number> =>
  sampleOf(gateway, "stationgate_reading_homes_moved_total");
const forwarded = (gateway: Gateway): Promise<number> =>
  sampleOf(gateway, 'stationgate_reading_forwarded_total{outcome="answered"}');

const post = (gateway: Gateway, token: string, path: string, body: unknown): Promise<Response> =>
  fetch(`${gateway.url}/stations/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describeKafka("gateways on one Kafka", (kafka) => {
  const start = (workers = 1): Promise<Gateway> =>
    startGateway({
      settings: {
        server: { host: "127.0.0.1", port: 0, workers },
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
      },
    });

  it(
    "answer reads for each other, and refuse unsigned requests at the peer port",
    async () => {
      const one = await start();
      await until(async () => (await slotsThatCame(one)) === 60);
      const two = await start();
      await until(async () => (await slotsThatCame(two)) > 0);

      const token = await signIn(one);
      const station = uniqueName("peers");
      await post(one, token, `${station}/produce/batch`, [{ n: 1 }]);
      const read = async (via: Gateway, group: string): Promise<readonly [number, unknown]> => {
        const answer = await post(via, token, `${station}/consume/batch`, {
          consumer_name: "reader",
          consumer_group: group,
          batch_size: 1,
          batch_max_wait_time_ms: 5000,
        });
        return [answer.status, await answer.json()];
      };
      // Each of these groups has one event. About half of the groups have their home in the other process.
      for (let n = 0; n < 10; n++)
        expect(await read(n % 2 === 0 ? one : two, `g${n}`)).toEqual([
          200,
          [expect.objectContaining({ message: '{"n":1}' })],
        ]);
      expect((await forwarded(one)) + (await forwarded(two))).toBeGreaterThan(0);

      const [port] = peerPorts(one);
      const refused = await fetch(`http://127.0.0.1:${String(port)}/peer/ask?slot=1&generation=1`);
      expect([refused.status, await refused.text()]).toEqual([403, ""]);

      // A planned end hands over: the other gateway continues at once.
      expect(await one.stop("SIGTERM")).toBe(0);
      await post(two, token, `${station}/produce/batch`, [{ n: 2 }]);
      expect(await read(two, "g0")).toEqual([200, [expect.objectContaining({ message: '{"n":2}' })]]);
      await Promise.all([one, two].map((gateway) => gateway[Symbol.asyncDispose]()));
    },
    TIMEOUT,
  );

  it(
    "have a peer port for each worker",
    async () => {
      const gateway = await start(2);
      await until(() => peerPorts(gateway).length === 2);
      expect(new Set(peerPorts(gateway)).size).toBe(2);
      await until(async () => (await slotsThatCame(gateway)) >= 60);
      expect(await gateway.stop("SIGTERM")).toBe(0);
      await gateway[Symbol.asyncDispose]();
    },
    TIMEOUT,
  );
});

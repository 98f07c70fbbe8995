/** Event streams of the real program: each event once for a client that resumes, over kill -9, SIGTERM and other processes. */
import { describeOnEachBroker } from "../support/each-broker.ts";
import { openStream, type StreamLine } from "../support/event-streams.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";

const headersOf = async (gateway: Gateway): Promise<Record<string, string>> => ({
  Authorization: `Bearer ${await signIn(gateway)}`,
});

/** Produces events with these numbers, one call each. Resolves to the numbers that were acknowledged. */
const produce = async (gateway: Gateway, station: string, from: number, to: number): Promise<number[]> => {
  const headers = { ...(await headersOf(gateway)), "Content-Type": "application/json" };
  const stored: number[] = [];
  for (let n = from; n < to; n++) {
    const url = `${gateway.url}/stations/${station}/produce/single`;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ n }) }).catch(
      () => undefined,
    );
    if (answer?.status === 200) stored.push(n);
  }
  return stored;
};

const numbersOf = (lines: readonly StreamLine[]): number[] =>
  lines.filter(({ offset }) => offset !== undefined).map(({ value }) => (value as { n: number }).n);

const resume = async (gateway: Gateway, station: string, lines: readonly StreamLine[] = []) => {
  const id = lines.findLast((line) => line.id !== undefined)?.id;
  const from: Record<string, string> = id === undefined ? {} : { "Last-Event-ID": id };
  const url = `${gateway.url}/stations/${station}/consume/stream?from=earliest`;
  const stream = await openStream(url, { ...(await headersOf(gateway)), ...from });
  await stream.seen('{"id":');
  return stream;
};

describeOnEachBroker("an event stream", (broker) => {
  it("has each event once over kill -9 of the process", async () => {
    const station = uniqueName("streamed");
    const first = await startGateway({ settings: { broker: broker.settings() } });
    const early = await produce(first, station, 0, 20);
    const before = await resume(first, station);
    const producing = produce(first, station, 20, 400);
    await before.events(60);
    await first.stop("SIGKILL");
    expect(await before.over).toBe(false);
    const acknowledged = [...early, ...(await producing)];
    const second = await first.restart();
    acknowledged.push(...(await produce(second, station, 400, 410)));
    const after = await resume(second, station, before.lines());
    const missing = acknowledged.filter((n) => !numbersOf(before.lines()).includes(n));
    await after.events(missing.length);
    const received = [...numbersOf(before.lines()), ...numbersOf(after.lines())];
    expect(new Set(received).size).toBe(received.length);
    expect(acknowledged.filter((n) => !received.includes(n))).toEqual([]);
    after.close();
    await second[Symbol.asyncDispose]();
  }, 120_000);

  it("ends with the reason at SIGTERM", async () => {
    const station = uniqueName("streamed");
    const gateway = await startGateway({ settings: { broker: broker.settings() } });
    await produce(gateway, station, 0, 1);
    const stream = await resume(gateway, station);
    await stream.events(1);
    const stopped = gateway.stop("SIGTERM");
    expect(await stream.over).toBe(true);
    expect(stream.lines().at(-1)).toEqual({ end: { reason: "shutdown" } });
    expect(await stopped).toBe(0);
    await gateway[Symbol.asyncDispose]();
  }, 60_000);
});

describeKafka("event streams of several processes", (kafka) => {
  it("have the same ids: a client changes the process after each event", async () => {
    const settings = { broker: { type: "kafka", kafka: { brokers: kafka.brokers } } };
    const gateways = [await startGateway({ settings }), await startGateway({ settings })] as const;
    const station = uniqueName("streamed");
    await produce(gateways[0], station, 0, 12);
    let lines: readonly StreamLine[] = [];
    for (let n = 0; n < 12; n++) {
      const stream = await resume(gateways[n % 2 === 0 ? 0 : 1], station, lines);
      lines = [...lines, ...(await stream.events(1))];
      stream.close();
    }
    expect(numbersOf(lines).toSorted((a, b) => a - b)).toEqual([...Array(12).keys()]);
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
  }, 60_000);
});

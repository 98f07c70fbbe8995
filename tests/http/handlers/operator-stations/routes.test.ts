import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import request from "supertest";
import type { Operator } from "../../../../src/auth/operators/operator.ts";
import { ERRORS } from "../../../../src/errors.ts";
import { ADMIN_TOKEN, createTestGateway, type TestGateway, type TestOptions } from "../../support.ts";

const OPERATOR = { Authorization: `Bearer ${ADMIN_TOKEN}` };

interface Event {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

interface Tail {
  readonly answer: IncomingMessage;
  /** Resolves with the data of the next event of this name; "record" is an event without a name, "open" a block with an id only. */
  next(event: string): Promise<Record<string, unknown>>;
  readonly comments: number;
}

const parse = (block: string): Event => {
  const fields = new Map(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
  );
  const data = fields.get("data");
  const id = fields.get("id");
  if (data === undefined) return { event: id === undefined ? "retry" : "open", data: { id } };
  return {
    event: fields.get("event") ?? "record",
    data: { ...(JSON.parse(data) as Record<string, unknown>), ...(id !== undefined && { id }) },
  };
};

describe("the operators' station routes", () => {
  let gateway: TestGateway;
  let url: string;
  let stop: () => Promise<void>;

  const serve = async (options: TestOptions = {}): Promise<void> => {
    gateway = await createTestGateway(options);
    const server = createServer(gateway.admin);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    stop = async () => {
      gateway.stopStreams();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    };
  };

  afterEach(() => stop());

  const store = (topic: string, ...values: readonly (string | Buffer)[]) =>
    gateway.broker.append(
      topic,
      values.map((value, i) => ({
        key: Buffer.from(`key-${i}`),
        value: Buffer.from(value),
        headers: [{ name: "x-n", value: Buffer.from(String(i)) }],
        timestamp: 1000 + i,
      })),
    );

  const openTail = async (path: string): Promise<Tail> => {
    const outgoing = get(`${url}${path}`, { headers: OPERATOR });
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    const events: Event[] = [];
    const waiters = new Set<() => void>();
    let pending = "";
    let comments = 0;
    answer.setEncoding("utf8").on("data", (text: string) => {
      const blocks = (pending + text).split("\n\n");
      pending = blocks.pop() ?? "";
      for (const block of blocks) {
        if (block.startsWith(":")) comments += 1;
        else events.push(parse(block));
      }
      for (const wake of waiters) wake();
    });
    const next = async (wanted: string): Promise<Record<string, unknown>> => {
      for (;;) {
        const found = events.findIndex(({ event }) => event === wanted);
        if (found >= 0) return events.splice(found, 1)[0]?.data ?? {};
        await new Promise<void>((resolve) => waiters.add(resolve));
      }
    };
    return {
      answer,
      next,
      get comments() {
        return comments;
      },
    };
  };

  describe("a tail", () => {
    it("sends the last stored records of the partition, then each new record", async () => {
      await serve();
      await store("plain", "one", "two", "three");
      const tail = await openTail("/stations/plain/tail?last=2");
      expect(tail.answer.headers).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      });
      await tail.next("open");
      await store("plain", "four");
      const records = [await tail.next("record"), await tail.next("record"), await tail.next("record")];
      expect(records.map(({ offset, value }) => [offset, (value as { text: string }).text])).toEqual([
        ["1", "two"],
        ["2", "three"],
        ["3", "four"],
      ]);
      expect(records[0]).toEqual({
        partition: 0,
        offset: "1",
        timestamp: 1001,
        key: { encoding: "utf-8", text: "key-1", bytes: 5, truncated: false },
        value: { encoding: "utf-8", text: "two", bytes: 3, truncated: false },
        headers: [{ name: "x-n", value: { encoding: "utf-8", text: "1", bytes: 1, truncated: false } }],
        id: expect.any(String) as string,
      });
    });

    it("continues after the record whose id the reader sends", async () => {
      await serve();
      await store("plain", "one", "two", "three");
      const { id } = await (await openTail("/stations/plain/tail?last=3")).next("record");
      const tail = await openTail(`/stations/plain/tail?last=3&lastEventId=${String(id)}`);
      await store("plain", "four");
      const records = [await tail.next("record"), await tail.next("record"), await tail.next("record")];
      expect(records.map(({ offset }) => offset)).toEqual(["1", "2", "3"]);
    });

    it.each([
      ["filter=TWO", ["two"]],
      ["filter=key-0&in=key", ["one"]],
      ["filter=key-0&in=value", []],
      ["filter=e&in=value", ["one", "three"]],
    ])("sends only records that match the filter (%s)", async (query, wanted) => {
      await serve();
      const tail = await openTail(`/stations/plain/tail?${query}`);
      await tail.next("open");
      await store("plain", "one", "two", "three");
      // This record matches every filter and ends the wait.
      await gateway.broker.append("plain", [
        { key: Buffer.from("key-0"), value: Buffer.from("key-0 e two"), headers: [], timestamp: 1 },
      ]);
      const found: string[] = [];
      for (;;) {
        const { value } = (await tail.next("record")) as { value: { text: string } };
        if (value.text === "key-0 e two") break;
        found.push(value.text);
      }
      expect(found).toEqual(wanted);
    });

    it("shows bytes that are not UTF-8 in base64, and the beginning of a long value", async () => {
      await serve();
      await store("plain", Buffer.from([0xff, 0xfe]), "ä".repeat(60_000));
      const tail = await openTail("/stations/plain/tail?last=2");
      expect((await tail.next("record"))["value"]).toEqual({
        encoding: "base64",
        text: "//4=",
        bytes: 2,
        truncated: false,
      });
      const { text, ...rest } = (await tail.next("record"))["value"] as { text: string };
      expect(rest).toEqual({ encoding: "utf-8", bytes: 120_000, truncated: true });
      expect([text.length, new Set(text).size]).toEqual([32 * 1024, 1]);
    });

    it("ends when the process shuts down", async () => {
      await serve();
      const tail = await openTail("/stations/plain/tail");
      await tail.next("open");
      const ended = once(tail.answer, "end");
      gateway.stopStreams();
      expect(await tail.next("end")).toEqual({ reason: "shutdown" });
      await ended;
    });

    it.each([
      ["the credential is gone", undefined, "Unauthorized"],
      ["the role is too low now", { role: "viewer" } as const, "This needs the role operator"],
    ])("ends after a reload if %s", async (_, changed, reason) => {
      let renewOperator = (operator: Operator): Operator | undefined => operator;
      await serve({ renewOperator: (operator) => renewOperator(operator) });
      const tail = await openTail("/stations/plain/tail");
      await tail.next("open");
      await gateway.operatorsLive.recheck();
      renewOperator = (operator) => changed && { ...operator, ...changed };
      const ended = once(tail.answer, "end");
      await gateway.operatorsLive.recheck();
      expect(await tail.next("end")).toEqual({ reason });
      await ended;
    });

    it("is refused while the operators have as many streams as one principal may have", async () => {
      await serve();
      const tails = [await openTail("/stations/plain/tail"), await openTail("/stations/plain/tail")];
      const refused = await request(url).get("/stations/plain/tail").set(OPERATOR);
      expect([refused.status, (refused.body as { code: string }).code]).toEqual([429, "STREAMS_TOO_MANY"]);
      const [first] = tails;
      first?.answer.destroy();
      for (;;) {
        const { answer } = await openTail("/stations/plain/tail");
        if (answer.statusCode === 200) break;
      }
    });

    it.each([
      ["/stations/plain/tail?last=1001", 400, "REQUEST_INVALID"],
      ["/stations/plain/tail?last=-1", 400, "REQUEST_INVALID"],
      ["/stations/plain/tail?in=header", 400, "REQUEST_INVALID"],
      ["/stations/plain/tail?lastEventId=x", 400, "REQUEST_INVALID"],
      ["/stations/no-such/tail", 404, "STATION_UNKNOWN"],
      ["/stations/missing-topic/tail", 404, "STATION_UNKNOWN"],
      ["/stations/!/tail", 400, "STATION_NAME_INVALID"],
    ])("is refused for %s", async (path, status, code) => {
      await serve();
      const answer = await request(url).get(path).set(OPERATOR);
      expect([answer.status, (answer.body as { code: string }).code]).toEqual([status, code]);
    });
  });

  describe("a test event", () => {
    const produce = (station: string, event: object) =>
      request(url).post(`/stations/${station}/events`).set(OPERATOR).send(event);

    it("is stored like an event of a client, and the answer has its position", async () => {
      await serve();
      const answer = await produce("orders", { value: '{"id":"o-1"}', headers: { "X-Trial": "ja: grün" } });
      expect([answer.status, answer.body]).toEqual([
        200,
        { status: "stored", partition: 0, offset: "0", timestamp: expect.any(Number) as number },
      ]);
      const [record] = await gateway.records("shop.orders");
      expect(record?.key?.toString()).toBe("o-1");
      expect(record?.headers.map(({ name, value }) => [name, String(value)])).toEqual([
        ["content-type", "application/json"],
        ["x-trial", "ja: grün"],
      ]);
    });

    it("is stored with the given key and bytes", async () => {
      await serve();
      await produce("plain", {
        value: "AP8=",
        encoding: "base64",
        contentType: "application/x-protobuf",
        key: "k",
      }).expect(200);
      const [record] = await gateway.records("plain");
      expect([record?.key?.toString(), record?.value]).toEqual(["k", Buffer.from([0, 0xff])]);
    });

    it.each([
      ["a schema that refuses it", ["orders", { value: '"bad"' }], "SCHEMA_REFUSED"],
      ["broken JSON", ["plain", { value: "{" }], "JSON_INVALID"],
      ["an empty value", ["plain", { value: "" }], "BODY_EMPTY"],
      ["no value", ["plain", {}], "REQUEST_INVALID"],
      [
        "an unknown content type",
        ["plain", { value: "a", contentType: "image/png" }],
        "CONTENT_TYPE_UNSUPPORTED",
      ],
      [
        "a header that isn't stored",
        ["plain", { value: "{}", headers: { authorization: "x" } }],
        "REQUEST_INVALID",
      ],
      ["an unknown station", ["no-such", { value: "{}" }], "STATION_UNKNOWN"],
    ] as const)("is refused for %s", async (_, [station, event], code) => {
      await serve();
      const answer = await produce(station, event);
      expect(answer.status).toBe(ERRORS[code].status);
      expect(answer.body).toMatchObject({ code });
    });

    it("is refused with the wrong field, what is allowed and the given value", async () => {
      await serve();
      const answer = await produce("plain", { value: 5, encoding: "hex", contentType: "a".repeat(257) });
      expect((answer.body as { detail: string }).detail.split("\n")).toEqual([
        "value must be a string (got 5)",
        'encoding must be one of utf-8, base64 (got "hex")',
        `contentType must have at most 256 characters (got "${"a".repeat(80)}…")`,
      ]);
      const tail = await request(url).get("/stations/plain/tail?last=x&in=header").set(OPERATOR);
      expect((tail.body as { detail: string }).detail.split("\n")).toEqual([
        'last must be an integer from 0 to 1000 (got "x")',
        'in must be one of any, key, value (got "header")',
      ]);
    });

    it("is refused without an operator's credential", async () => {
      await serve();
      await request(url).post("/stations/plain/events").send({ value: "{}" }).expect(401);
      await request(url).get("/stations/plain/tail").expect(401);
    });
  });
});

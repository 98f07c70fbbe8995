/** `stationgate spool wait` against a fake gateway whose answers to /readyz the test gives. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type FakeShell, fakeShell, runInProcess } from "../support.ts";

type Answer = readonly [status: number, body: object | string];

const READY: Answer = [200, { status: "ok" }];
const SPOOLING: Answer = [200, { status: "ok", spooling: true }];
const problem = (code: string): Answer => [503, { status: 503, title: "Server error", code }];

describe("stationgate spool wait", () => {
  let server: Server;
  let shell: FakeShell;
  let answers: Answer[];
  let asked: string[];
  let onAsked: () => void;

  beforeEach(async () => {
    asked = [];
    onAsked = () => undefined;
    // The last answer is given again and again.
    server = createServer(({ url = "", headers }, response) => {
      asked.push(`${url} ${headers.authorization ?? "without a credential"}`);
      onAsked();
      const [status, body] = (answers.length > 1 ? answers.shift() : answers[0]) ?? READY;
      response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    shell = fakeShell({ env: { STATIONGATE_URL: `http://127.0.0.1:${port}` } });
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it("waits until the gateway does not spool any more, without a credential", async () => {
    answers = [SPOOLING, problem("SPOOL_FULL"), [502, "a proxy"], READY];
    expect(await runInProcess(shell, ["spool", "wait"])).toMatchObject({ exit: "ok" });
    expect(shell.printed()).toBe("the spool is empty\n");
    expect(asked).toEqual(new Array(4).fill("/readyz without a credential"));
  });

  it.each<Answer>([[200, { status: "ok", spooling: true, spoolEmpty: true }], problem("BROKER_UNAVAILABLE")])(
    "does not wait for Kafka if the spool is empty: %j",
    async (...given) => {
      answers = [given];
      expect(await runInProcess(shell, ["spool", "wait"])).toMatchObject({ exit: "ok" });
      expect(asked).toHaveLength(1);
    },
  );

  it.each<readonly [Answer, string]>([
    [SPOOLING, "the spool is not empty"],
    [problem("SPOOL_FULL"), "Server error (503)"],
    [problem("SHUTTING_DOWN"), "Server error (503)"],
    [[200, "<html>"], "the answer is not from a Stationgate gateway (200): check the URL"],
  ])("fails when the time is over: %j", async (given, reason) => {
    answers = [given];
    expect(await runInProcess(shell, ["spool", "wait", "--timeout", "50ms"])).toMatchObject({
      exit: "failed",
    });
    expect(shell.noted()).toBe(`the time is over: ${reason}\n`);
    expect(shell.printed()).toBe("");
  });

  it("prints JSON, also when the gateway does not answer", async () => {
    server.close();
    expect(await runInProcess(shell, ["spool", "wait", "--timeout", "50ms", "--json"])).toMatchObject({
      exit: "failed",
    });
    expect(JSON.parse(shell.printed())).toEqual({
      empty: false,
      reason: expect.stringContaining("can't be reached (ECONNREFUSED)") as string,
    });
  });

  it("ends at Ctrl-C", async () => {
    answers = [SPOOLING];
    const first = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const ended = runInProcess(shell, ["spool", "wait"]);
    await first;
    shell.signal();
    expect(await ended).toMatchObject({ exit: "interrupted" });
  });
});

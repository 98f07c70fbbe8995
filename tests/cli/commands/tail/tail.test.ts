/** `stationgate tail` against a fake gateway. */
import { eventLine, startFakeStreams, type FakeStreams } from "../../../support/fake-stream.ts";
import { type FakeShell, fakeShell, runInProcess } from "../../support.ts";

let gateway: FakeStreams;
let shell: FakeShell;

beforeEach(async () => {
  gateway = await startFakeStreams();
  shell = fakeShell({ env: { STATIONGATE_URL: gateway.url, STATIONGATE_TOKEN: "token" } });
});
afterEach(() => gateway.close());

const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString("base64");

it("prints the events of the stream, also after a reconnect, until the limit", async () => {
  const ended = runInProcess(shell, ["tail", "clicks", "--limit", "3", "--json", "--filter", "/a==1"]);
  const first = await gateway.next();
  expect(first.request.url.search).toBe("?encoding=base64&from=latest&filter=%2Fa%3D%3D1");
  first.write(
    { id: "id-0" },
    eventLine(1, {
      value: base64('{"n":12345678901234567890}'),
      headers: { "content-type": base64("application/json") },
      base64: ["value", "headers.content-type"],
    }),
    eventLine(2, { value: base64(Buffer.from([255])), base64: ["value"] }),
  );
  first.end();
  const second = await gateway.next();
  expect(second.request.headers["last-event-id"]).toBe("id-2");
  second.write(eventLine(3, { value: null }), eventLine(4));
  expect((await ended).exit).toBe("ok");
  await second.closed;
  expect(
    shell
      .printed()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { message: '{"n":12345678901234567890}', headers: { "content-type": "application/json" } },
    { message: "/w==", headers: { "stationgate-encoding": "base64" } },
    { message: "", headers: {} },
  ]);
  expect(shell.noted()).toContain("Following clicks, new events only. Ctrl-C ends.\n");
});

it.each([
  [["--filter", "/a==1"], "--filter is not allowed with --group"],
  [["--from", "2026-01-01"], "--from 2026-01-01: with --group only earliest and latest are allowed"],
])("refuses %s with --group", async (options, message) => {
  const { exit, failure } = await runInProcess(shell, ["tail", "clicks", "--group", "g", ...options]);
  expect([exit, failure?.message]).toEqual(["usage", message]);
});

import { type AuditLine, createAudit, outcomeOf } from "../../src/observability/audit.ts";

describe("an audit line", () => {
  const record = (entry: Parameters<ReturnType<typeof createAudit>["record"]>[0]) => {
    const written: AuditLine[] = [];
    const stored: AuditLine[] = [];
    createAudit({
      write: (line) => void written.push(line),
      store: (line) => void stored.push(line),
      now: () => 5,
    }).record(entry);
    expect(stored).toEqual(written);
    return JSON.stringify(written[0]);
  };

  it("has the members of the entry in their order, between level and message", () => {
    expect(
      record({
        action: "connector.change",
        actor: "ci",
        target: "crm",
        outcome: "done",
        status: 200,
        changed: ["url"],
      }),
    ).toBe(
      '{"level":"info","time":5,"action":"connector.change","actor":"ci","target":"crm","outcome":"done","status":200,"changed":["url"],"msg":"audit"}',
    );
  });

  it("leaves members without a value out", () => {
    expect(record({ action: "session.end", actor: undefined, outcome: "failed", changed: [] })).toBe(
      '{"level":"info","time":5,"action":"session.end","outcome":"failed","msg":"audit"}',
    );
  });
});

it.each([
  [200, "done"],
  [303, "done"],
  [400, "refused"],
  [429, "refused"],
  [500, "failed"],
])("the outcome of status %i is %s", (status, outcome) => {
  expect(outcomeOf(status)).toBe(outcome);
});

import { faultsOf, settingsOf } from "./support.ts";

it("has no spool without settings", () => {
  expect(settingsOf({ yaml: "{}" }).spool).toBeUndefined();
});

it.each([
  ["{ for: [webhooks] }", "spool.dir: got nothing, allowed: the path of a directory if spool.for is set"],
  ["{ dir: /tmp/spool }", "spool.for: got nothing, allowed: at least one kind if spool.dir is set"],
  [
    "{ dir: /tmp/spool, for: [orders] }",
    'got "orders", allowed: webhooks, webhook:<source>, beacon or station:<pattern>',
  ],
])("refuses %s", (spool, fault) => {
  expect(faultsOf({ yaml: `spool: ${spool}` }).join("\n")).toContain(fault);
});

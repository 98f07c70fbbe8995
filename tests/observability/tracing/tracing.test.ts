import { traceContext } from "../../../src/observability/tracing/tracing.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

describe("traceContext", () => {
  it("has the values of the headers", () => {
    const traceparent = `00-${TRACE}-${SPAN}-01`;
    expect(traceContext(traceparent, "vendor=1")).toEqual({ traceparent, tracestate: "vendor=1" });
  });

  it.each([
    ["nothing", undefined],
    ["no traceparent at all", "abc"],
    ["a version that isn't ours", `01-${TRACE}-${SPAN}-01`],
    ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["more than a traceparent", `00-${TRACE}-${SPAN}-01-x`],
    ["a second line", `00-${TRACE}-${SPAN}-01\n`],
  ])("is undefined for %s, with any tracestate", (_what, traceparent) => {
    expect(traceContext(traceparent, "vendor=1")).toBeUndefined();
  });
});

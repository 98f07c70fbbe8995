import { createMetrics, textOfSum } from "../../src/observability/metrics.ts";

it("counts events by station and outcome", async () => {
  const metrics = createMetrics();
  metrics.eventsEnded("orders", "stored", 3);
  metrics.eventsEnded("orders", "stored", 2);
  metrics.eventsEnded("orders", "refused", 1);
  const text = await metrics.text();
  expect(text).toContain('stationgate_events_total{station="orders",outcome="stored"} 5');
  expect(text).toContain('stationgate_events_total{station="orders",outcome="refused"} 1');
});

it("limits the number of station labels", async () => {
  const metrics = createMetrics();
  for (let n = 0; n < 1100; n++) metrics.eventsEnded(`s${n}`, "stored", 1);
  metrics.eventsEnded("s0", "stored", 1);
  const text = await metrics.text();
  expect(text.match(/^stationgate_events_total\{/gm)).toHaveLength(1001);
  expect(text).toContain('stationgate_events_total{station="s0",outcome="stored"} 2');
  expect(text).toContain('stationgate_events_total{station="other",outcome="stored"} 100');
});

it("observes appends, and reads the buffered bytes at each scrape", async () => {
  const metrics = createMetrics();
  let buffered = 0;
  metrics.bufferedBytesFrom(() => buffered);
  metrics.appendObserved(0.003, 40);
  buffered = 77;
  const text = await metrics.text();
  expect(text).toContain('stationgate_append_seconds_bucket{le="0.005"} 1');
  expect(text).toContain('stationgate_append_records_bucket{le="50"} 1');
  expect(text).toContain("stationgate_buffered_bytes 77");
});

it("reads the client memory at each scrape", async () => {
  const metrics = createMetrics();
  metrics.clientMemoryFrom(() => 4096);
  expect(await metrics.text()).toContain("stationgate_client_memory_bytes 4096");
});

it("counts refused credentials and webhooks, and observes requests", async () => {
  const metrics = createMetrics();
  metrics.authFailed("invalid token");
  metrics.webhookRefused("github");
  metrics.requestObserved({ route: "/r", method: "POST", status: 200, seconds: 0.02 });
  const text = await metrics.text();
  expect(text).toContain('stationgate_auth_failures_total{reason="invalid token"} 1');
  expect(text).toContain('stationgate_webhook_refusals_total{source="github"} 1');
  expect(text).toContain('stationgate_http_requests_total{route="/r",method="POST",status="200"} 1');
  expect(text).toContain('stationgate_http_request_seconds_bucket{le="0.025",route="/r"} 1');
});

it("adds up what came between two scrapes, and after them", async () => {
  const metrics = createMetrics();
  const observe = (seconds: number): void => {
    metrics.requestObserved({ route: "/r", method: "GET", status: 200, seconds });
  };
  observe(0.001);
  observe(60);
  await metrics.text();
  observe(0.0011);
  metrics.requestObserved({ route: "/r", method: "GET", status: 404, seconds: 0.5 });
  const text = await metrics.text();
  expect(text.match(/^stationgate_http_request.*/gm)).toEqual([
    'stationgate_http_requests_total{route="/r",method="GET",status="200"} 3',
    'stationgate_http_requests_total{route="/r",method="GET",status="404"} 1',
    ...["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25"].map(
      (le, i) => `stationgate_http_request_seconds_bucket{le="${le}",route="/r"} ${i === 0 ? 1 : 2}`,
    ),
    ...["0.5", "1", "2.5", "5", "10", "30"].map(
      (le) => `stationgate_http_request_seconds_bucket{le="${le}",route="/r"} 3`,
    ),
    'stationgate_http_request_seconds_bucket{le="+Inf",route="/r"} 4',
    'stationgate_http_request_seconds_sum{route="/r"} 60.5021',
    'stationgate_http_request_seconds_count{route="/r"} 4',
  ]);
  const sum = await textOfSum([await metrics.samples(), await metrics.samples()]);
  expect(sum).toContain('stationgate_http_request_seconds_bucket{le="0.0025",route="/r"} 4');
  expect(sum).toContain('stationgate_http_requests_total{route="/r",method="GET",status="200"} 6');
});

it("has the metrics of the process, separate from another registry", async () => {
  const [one, two] = [createMetrics(), createMetrics()];
  one.authFailed("x");
  expect(await two.text()).not.toContain('reason="x"');
  expect(await two.text()).toContain("nodejs_eventloop_lag_seconds");
  expect(two.contentType).toContain("text/plain");
});

it("counts forwarded calls by outcome, the time of answered ones, and the slots that came", async () => {
  const metrics = createMetrics();
  expect(await metrics.text()).toContain('stationgate_reading_forwarded_total{outcome="broken"} 0');
  metrics.callForwarded("answered", 0.02);
  metrics.callForwarded("moved", 3);
  metrics.homeMoved();
  const text = await metrics.text();
  expect(text).toContain('stationgate_reading_forwarded_total{outcome="answered"} 1');
  expect(text).toContain('stationgate_reading_forwarded_total{outcome="moved"} 1');
  expect(text).toContain("stationgate_reading_forward_seconds_count 1");
  expect(text).toContain('stationgate_reading_forward_seconds_bucket{le="0.025"} 1');
  expect(text).toContain("stationgate_reading_homes_moved_total 1");
});

it("counts events with an id, looks and moved slots, and reads the ids of the slots at each scrape", async () => {
  const metrics = createMetrics();
  const samples = { openIds: 3, windowSeconds: 60, configuredSeconds: 3600 };
  metrics.onceFrom(() => samples);
  metrics.onceEvents("duplicate", 2);
  metrics.onceResolved("missing", 1);
  metrics.onceHomeMoved();
  samples.openIds = 4;
  const text = await metrics.text();

  for (const line of [
    'stationgate_once_events_total{outcome="stored"} 0',
    'stationgate_once_events_total{outcome="duplicate"} 2',
    'stationgate_once_resolved_total{outcome="found"} 0',
    'stationgate_once_resolved_total{outcome="missing"} 1',
    "stationgate_once_homes_moved_total 1",
    "stationgate_once_open_ids 4",
    "stationgate_once_window_seconds 60",
    "stationgate_once_configured_window_seconds 3600",
  ])
    expect(text).toContain(`${line}\n`);
});

it("shows the shortest window of several workers, and the sum of their open ids", async () => {
  const workers = [60, 3600].map((windowSeconds) => {
    const metrics = createMetrics();
    metrics.onceFrom(() => ({ openIds: 1, windowSeconds, configuredSeconds: 3600 }));
    return metrics;
  });
  const text = await textOfSum(await Promise.all(workers.map((metrics) => metrics.samples())));

  expect(text).toContain("stationgate_once_window_seconds 60\n");
  expect(text).toContain("stationgate_once_configured_window_seconds 3600\n");
  expect(text).toContain("stationgate_once_open_ids 2\n");
});

import { createMetrics, textOfSum } from "../../src/observability/metrics.ts";

it("counts failed handshakes, and shows the expiry of each certificate", async () => {
  const metrics = createMetrics();
  metrics.tlsCertificate("public", 1_800_000_000);
  metrics.tlsFailed("public", "not TLS");
  metrics.tlsFailed("public", "not TLS");
  const text = await metrics.text();
  expect(text).toContain('stationgate_tls_certificate_not_after_seconds{listener="public"} 1800000000');
  expect(text).toContain('stationgate_tls_failures_total{listener="public",reason="not TLS"} 2');
});

it("does not add up the expiry of several workers", async () => {
  const samples = await Promise.all(
    [1_800_000_000, 1_700_000_000].map((notAfter) => {
      const metrics = createMetrics();
      metrics.tlsCertificate("public", notAfter);
      return metrics.samples();
    }),
  );
  expect(await textOfSum(samples)).toContain(
    'stationgate_tls_certificate_not_after_seconds{listener="public"} 1700000000',
  );
});

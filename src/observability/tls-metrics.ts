/** Metrics of TLS on both ports. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface TlsMetrics {
  /** The listener serves with a certificate that expires at this Unix time in seconds. */
  tlsCertificate(listener: string, notAfter: number): void;
  /** A connection of the listener has ended before its handshake. */
  tlsFailed(listener: string, reason: string): void;
}

export const tlsMetrics = (registry: Registry): TlsMetrics => {
  const registers = [registry];
  const certificate = new Gauge({
    name: "stationgate_tls_certificate_not_after_seconds",
    help: "Unix time at which the certificate of a listener expires, by listener: public, admin.",
    labelNames: ["listener"],
    registers,
    // All workers serve with the same certificate, except during a reload.
    aggregator: "min",
  });
  const failures = new Counter({
    name: "stationgate_tls_failures_total",
    help: "Connections that ended before their TLS handshake, by listener and reason.",
    labelNames: ["listener", "reason"],
    registers,
  });
  return {
    tlsCertificate: (listener, notAfter) => {
      certificate.set({ listener }, notAfter);
    },
    tlsFailed: (listener, reason) => {
      failures.inc({ listener, reason });
    },
  };
};

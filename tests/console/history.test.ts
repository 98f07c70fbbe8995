/** The console's history of metrics: 15 minutes of each series, and a bounded number of series. */
import path from "node:path";

interface Sample {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

interface History {
  add(at: number, samples: readonly Sample[]): void;
  ratesOf(metric: string, labels: Record<string, string | RegExp>): readonly number[];
  valuesOf(metric: string, labels: Record<string, string | RegExp>): readonly number[];
  valueNow(metric: string, labels: Record<string, string | RegExp>): number | undefined;
  rateNow(metric: string, labels: Record<string, string | RegExp>): number;
}

type CreateHistory = (bounds: { maxScrapes: number; maxAge: number; maxSeries: number }) => History;

const { createHistory } = (await import(path.resolve("console/history.js"))) as {
  createHistory: CreateHistory;
};

const EVENTS = "stationgate_events_total";
const EVERY = 2000;

const events = (station: string, value: number, outcome = "stored"): Sample => ({
  name: EVENTS,
  labels: { station, outcome },
  value,
});

const historyOf = (bounds = {}): History =>
  createHistory({ maxScrapes: 450, maxAge: 15 * 60_000, maxSeries: 4, ...bounds });

describe("the history of metrics", () => {
  it("keeps the newest 450 values of a series while no view asks for it", () => {
    const history = historyOf();
    history.add(0, [events("clicks", 0)]);
    history.ratesOf(EVENTS, { station: "clicks" });
    for (let scrape = 1; scrape <= 1000; scrape += 1)
      history.add(scrape * EVERY, [events("clicks", scrape * 4)]);
    const rates = history.ratesOf(EVENTS, { station: "clicks" });
    expect(rates).toHaveLength(449);
    expect(new Set(rates)).toEqual(new Set([2]));
  });

  it("drops values that are older than the limit, also if loads are rare", () => {
    const history = historyOf();
    history.valuesOf(EVENTS, {});
    for (let minute = 0; minute <= 60; minute += 1) history.add(minute * 60_000, [events("clicks", minute)]);
    expect(history.valuesOf(EVENTS, {})).toEqual(Array.from({ length: 16 }, (_, i) => 45 + i));
  });

  it("drops the series that views have not used for the longest time", () => {
    const history = historyOf();
    const seen = (station: string) => history.ratesOf(EVENTS, { station }).length;
    history.add(0, []);
    for (const station of ["a", "b", "c", "d"]) seen(station);
    for (let scrape = 1; scrape <= 5; scrape += 1) history.add(scrape * EVERY, []);
    expect([seen("a"), seen("e")]).toEqual([5, 1]);
    // "b" gave way to "e", and begins again with the newest two scrapes.
    expect([seen("a"), seen("b")]).toEqual([5, 1]);
  });

  it("sums the events of all stations by outcome", () => {
    const history = historyOf();
    const samples = [events("a", 1), events("b", 2), events("b", 8, "unknown"), events("b", 16, "refused")];
    history.add(0, samples);
    expect(history.valueNow(EVENTS, { outcome: "stored" })).toBe(3);
    expect(history.valueNow(EVENTS, { outcome: /^(unavailable|unknown)$/ })).toBe(8);
    expect(history.valueNow(EVENTS, { station: "b" })).toBe(26);
    expect(history.valueNow(EVENTS, { station: "c" })).toBeUndefined();
  });

  it("counts from 0 after the gateway has restarted", () => {
    const history = historyOf();
    history.add(0, [events("a", 100)]);
    history.add(EVERY, [events("a", 6)]);
    expect(history.ratesOf(EVENTS, { station: "a" })).toEqual([3]);
    expect(history.rateNow(EVENTS, { station: "a" })).toBe(3);
  });
});

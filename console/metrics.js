/** Polls `/metrics` and keeps its recent history: values, totals and rates. */
import { ask, wordsOf } from "./api.js";
import { createHistory } from "./history.js";

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** @type {Record<string, string>} */
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/**
 * Samples of the gateway's own metrics, from the text format of Prometheus.
 * @param {string} text
 * @returns {import("./history.js").Sample[]}
 */
const parseMetrics = (text) =>
  text.split("\n").flatMap((line) => {
    if (!line.startsWith("stationgate_") && !line.startsWith("process_")) return [];
    const [, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label, quoted = ""]) => [
      label,
      quoted.replace(/\\[n"\\]/g, (escape) => ESCAPES[escape] ?? escape),
    ]);
    // Skips NaN and infinity: a chart can't show them.
    return Number.isFinite(Number(value))
      ? [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
      : [];
  });

/** Milliseconds between two scrapes. */
export const EVERY = 2000;
const MAX_AGE = 15 * 60_000;
/** Number of scrapes that are kept: 15 minutes. */
export const KEPT = MAX_AGE / EVERY;
/** Three series for each of 300 stations: at most 3.2 MB of numbers. */
const MAX_SERIES = 900;

const history = createHistory({ maxScrapes: KEPT, maxAge: MAX_AGE, maxSeries: MAX_SERIES });

/** @typedef {import("./history.js").Labels} Labels */

/** @type {Set<() => void>} */
const watchers = new Set();

/** Why the last scrape failed; undefined: it succeeded. @type {string | undefined} */
let trouble;

export const metricsTrouble = () => trouble;

/**
 * Calls `onScrape` now and after each scrape, until the view ends.
 * @param {AbortSignal} signal
 * @param {() => void} onScrape
 */
export const watch = (signal, onScrape) => {
  watchers.add(onScrape);
  signal.addEventListener("abort", () => watchers.delete(onScrape));
  onScrape();
};

const scrape = async () => {
  try {
    const samples = parseMetrics(await (await ask("/metrics")).text());
    history.add(performance.now(), samples);
    isScraped = true;
    trouble = undefined;
  } catch (error) {
    trouble = wordsOf(error);
  }
  for (const onScrape of watchers) onScrape();
  setTimeout(scrape, EVERY);
};

let isScraped = false;

/** false: no scrape has succeeded yet. */
export const hasScraped = () => isScraped;

export const startScraping = scrape;

/**
 * The newest value, added up over the labels that are not given.
 * @param {string} name
 * @param {Labels} [labels]
 */
export const valueNow = (name, labels = {}) => history.valueNow(name, labels) ?? 0;

/**
 * Whether the gateway reports this metric with these labels.
 * @param {string} name
 * @param {Labels} labels
 */
export const isKnown = (name, labels) => history.valueNow(name, labels) !== undefined;

/**
 * A gauge, oldest value first.
 * @param {string} name
 * @param {Labels} [labels]
 */
export const valuesOf = (name, labels = {}) => history.valuesOf(name, labels);

/**
 * A counter's growth per second from scrape to scrape, oldest first.
 * @param {string} name
 * @param {Labels} [labels]
 */
export const ratesOf = (name, labels = {}) => history.ratesOf(name, labels);

/**
 * A counter's newest rate and its total, as a table shows them.
 * @param {string} name
 * @param {Labels} labels
 */
export const countNow = (name, labels) => ({
  perSecond: history.rateNow(name, labels),
  total: valueNow(name, labels),
});

/**
 * Average of a histogram between two scrapes, oldest first; 0 if nothing was measured.
 * @param {string} name
 */
export const averagesOf = (name) => {
  const sums = ratesOf(`${name}_sum`);
  return ratesOf(`${name}_count`).map((perSecond, i) => (perSecond === 0 ? 0 : (sums[i] ?? 0) / perSecond));
};

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
    // A chart can't show NaN or infinity.
    return Number.isFinite(Number(value))
      ? [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
      : [];
  });

/** Milliseconds between two looks. */
export const EVERY = 2000;
const MAX_AGE = 15 * 60_000;
/** Looks that are kept: 15 minutes. */
export const KEPT = MAX_AGE / EVERY;
/** Three series for each of 300 stations: at most 3.2 MB of numbers. */
const MAX_SERIES = 900;

const history = createHistory({ maxLooks: KEPT, maxAge: MAX_AGE, maxSeries: MAX_SERIES });

/** @typedef {import("./history.js").Labels} Labels */

/** @type {Set<() => void>} */
const watchers = new Set();

/** Why the last look failed; undefined: it succeeded. @type {string | undefined} */
let trouble;

export const metricsTrouble = () => trouble;

/**
 * Calls back now and after each look, until the view ends.
 * @param {AbortSignal} signal
 * @param {() => void} onLook
 */
export const watch = (signal, onLook) => {
  watchers.add(onLook);
  signal.addEventListener("abort", () => watchers.delete(onLook));
  onLook();
};

const look = async () => {
  try {
    const samples = parseMetrics(await (await ask("/metrics")).text());
    history.add(performance.now(), samples);
    isLooked = true;
    trouble = undefined;
  } catch (error) {
    trouble = wordsOf(error);
  }
  for (const onLook of watchers) onLook();
  setTimeout(look, EVERY);
};

let isLooked = false;

/** false: no look has succeeded yet. */
export const hasLooked = () => isLooked;

export const startLooking = look;

/**
 * The newest value, added up over the labels that are not given.
 * @param {string} name
 * @param {Labels} [labels]
 */
export const valueNow = (name, labels = {}) => history.valueNow(name, labels) ?? 0;

/**
 * Whether the gateway reports such a value.
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
 * A counter's growth per second from look to look, oldest first.
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
 * Average of a histogram between two looks, oldest first; 0 if nothing was measured.
 * @param {string} name
 */
export const averagesOf = (name) => {
  const sums = ratesOf(`${name}_sum`);
  return ratesOf(`${name}_count`).map((perSecond, i) => (perSecond === 0 ? 0 : (sums[i] ?? 0) / perSecond));
};

/** What `/metrics` counts, looked at again and again: rates, and how they went. */
import { ask, wordsOf } from "./api.js";

/** @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample */

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** @type {Record<string, string>} */
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/**
 * Samples of the gateway's own metrics, from the text format of Prometheus.
 * @param {string} text
 * @returns {Sample[]}
 */
const parseMetrics = (text) =>
  text.split("\n").flatMap((line) => {
    if (!line.startsWith("stationgate_") && !line.startsWith("process_")) return [];
    const [, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label, quoted = ""]) => [
      label,
      quoted.replace(/\\[n"\\]/g, (escape) => ESCAPES[escape] ?? escape),
    ]);
    // NaN and the infinite are no places on a chart.
    return Number.isFinite(Number(value))
      ? [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
      : [];
  });

/** How often is looked, in milliseconds, and how many looks are kept: five minutes. */
export const EVERY = 2000;
export const KEPT = 150;

/** @typedef {{ at: number, samples: Sample[] }} Look */

/** @type {Look[]} */
const looks = [];

/** @type {Set<() => void>} */
const watchers = new Set();

/** Why the last look failed; undefined: it didn't. @type {string | undefined} */
let trouble;

export const metricsTrouble = () => trouble;

/**
 * Calls back after each look, for as long as the view is there.
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
    looks.push({ at: performance.now(), samples });
    if (looks.length > KEPT) looks.shift();
    trouble = undefined;
  } catch (error) {
    trouble = wordsOf(error);
  }
  for (const onLook of watchers) onLook();
  setTimeout(look, EVERY);
};

export const startLooking = look;

/**
 * @param {Look | undefined} one
 * @param {string} name
 * @param {Record<string, string | RegExp>} labels
 */
const sumIn = (one, name, labels) =>
  (one?.samples ?? [])
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, wanted]) =>
          wanted instanceof RegExp
            ? wanted.test(sample.labels[label] ?? "")
            : sample.labels[label] === wanted,
        ),
    )
    .reduce((sum, { value }) => sum + value, 0);

/**
 * The newest value, added up over what the labels leave open.
 * @param {string} name
 * @param {Record<string, string | RegExp>} [labels]
 */
export const valueNow = (name, labels = {}) => sumIn(looks.at(-1), name, labels);

/**
 * Is there such a value at all?
 * @param {string} name
 * @param {Record<string, string>} labels
 */
export const isKnown = (name, labels) =>
  looks
    .at(-1)
    ?.samples.some(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
    ) === true;

/**
 * A gauge, oldest value first.
 * @param {string} name
 * @param {Record<string, string | RegExp>} [labels]
 */
export const valuesOf = (name, labels = {}) => looks.map((one) => sumIn(one, name, labels));

/**
 * A counter's growth per second from look to look, oldest first. One that has begun anew has grown by what it counts.
 * @param {string} name
 * @param {Record<string, string | RegExp>} [labels]
 */
export const ratesOf = (name, labels = {}) =>
  looks.slice(1).map((one, before) => {
    const previous = looks[before];
    const [from, to] = [sumIn(previous, name, labels), sumIn(one, name, labels)];
    const seconds = (one.at - (previous?.at ?? 0)) / 1000;
    return (to < from ? to : to - from) / seconds;
  });

/**
 * What a histogram measured on average between looks, oldest first; 0 where it measured nothing.
 * @param {string} name
 */
export const averagesOf = (name) => {
  const sums = ratesOf(`${name}_sum`);
  return ratesOf(`${name}_count`).map((perSecond, i) => (perSecond === 0 ? 0 : (sums[i] ?? 0) / perSecond));
};

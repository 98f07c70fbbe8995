/**
 * The recent history of the gateway's metrics in bounded memory: one series for each question that a view has asked,
 * such as "stored events of the station trials".
 */

/** @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample */
/** @typedef {Record<string, string | RegExp>} Labels each label must equal the text, or match the expression */
/** @typedef {{ metric: string, labels: Labels, values: number[] }} Series values: oldest first, one for each scrape */
/** @typedef {Map<string, Map<string, Sample[]>>} Scrape samples by metric, and by station or connector */

/** @param {Labels} labels */
const ownerOf = ({ station, connector }) => station ?? connector;

/**
 * @param {readonly Sample[]} samples
 * @returns {Scrape}
 */
const indexed = (samples) => {
  /** @type {Scrape} */
  const scrape = new Map();
  for (const sample of samples) {
    const owner = String(ownerOf(sample.labels) ?? "");
    /** @type {Map<string, Sample[]>} */
    const owners = scrape.get(sample.name) ?? new Map();
    scrape.set(sample.name, owners);
    const own = owners.get(owner);
    if (own === undefined) owners.set(owner, [sample]);
    else own.push(sample);
  }
  return scrape;
};

/**
 * Samples of a metric that have these labels.
 * @param {Scrape | undefined} scrape
 * @param {string} metric
 * @param {Labels} labels
 */
const matching = (scrape, metric, labels) => {
  const owners = scrape?.get(metric);
  const owner = ownerOf(labels);
  const samples =
    typeof owner === "string" ? (owners?.get(owner) ?? []) : [...(owners?.values() ?? [])].flat();
  const wanted = Object.entries(labels);
  return samples.filter((sample) =>
    wanted.every(([label, value]) =>
      value instanceof RegExp ? value.test(sample.labels[label] ?? "") : sample.labels[label] === value,
    ),
  );
};

/**
 * @param {Scrape | undefined} scrape
 * @param {string} metric
 * @param {Labels} labels
 */
const sumIn = (scrape, metric, labels) =>
  matching(scrape, metric, labels).reduce((sum, { value }) => sum + value, 0);

/**
 * Growth of a counter. If the counter has restarted at 0, its growth is its new value.
 * @param {number} from
 * @param {number} to
 */
const growth = (from, to) => (to < from ? to : to - from);

/**
 * @param {string} metric
 * @param {Labels} labels
 */
const keyOf = (metric, labels) => [metric, ...Object.entries(labels).flat().map(String)].join("\n");

/**
 * A series begins when a view asks for it for the first time, and continues while other views are shown. Above `maxSeries`
 * the history drops the series with the oldest last request.
 * @param {{ maxScrapes: number, maxAge: number, maxSeries: number }} bounds age in milliseconds
 */
export const createHistory = ({ maxScrapes, maxAge, maxSeries }) => {
  /** Times of the scrapes, oldest first. @type {number[]} */
  const times = [];
  /** The newest two scrapes with all samples: a new series begins with them. @type {Scrape[]} */
  const newest = [];
  /** The series that was asked for longest ago comes first. @type {Map<string, Series>} */
  const all = new Map();

  /** @param {string} metric @param {Labels} labels */
  const seriesOf = (metric, labels) => {
    const key = keyOf(metric, labels);
    const values = () => newest.map((scrape) => sumIn(scrape, metric, labels));
    const series = all.get(key) ?? { metric, labels, values: values() };
    all.delete(key);
    all.set(key, series);
    const [oldest] = all.keys();
    if (all.size > maxSeries && oldest !== undefined) all.delete(oldest);
    return series;
  };

  return {
    /**
     * @param {number} at in milliseconds
     * @param {readonly Sample[]} samples
     */
    add: (at, samples) => {
      const scrape = indexed(samples);
      times.push(at);
      newest.push(scrape);
      if (newest.length > 2) newest.shift();
      while (times.length > maxScrapes || at - (times[0] ?? at) > maxAge) times.shift();
      for (const { metric, labels, values } of all.values()) {
        values.push(sumIn(scrape, metric, labels));
        values.splice(0, values.length - times.length);
      }
    },

    /**
     * The newest value, added up over the labels that are not given; undefined: there is no such sample.
     * @param {string} metric
     * @param {Labels} labels
     */
    valueNow: (metric, labels) => {
      const samples = matching(newest.at(-1), metric, labels);
      return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0);
    },

    /**
     * Values of a gauge, oldest first.
     * @param {string} metric
     * @param {Labels} labels
     * @returns {readonly number[]}
     */
    valuesOf: (metric, labels) => seriesOf(metric, labels).values,

    /**
     * Growth of a counter per second from scrape to scrape, oldest first.
     * @param {string} metric
     * @param {Labels} labels
     */
    ratesOf: (metric, labels) => {
      const { values } = seriesOf(metric, labels);
      const known = times.slice(-values.length);
      return values.slice(1).map((to, before) => {
        const seconds = ((known[before + 1] ?? 0) - (known[before] ?? 0)) / 1000;
        return growth(values[before] ?? 0, to) / seconds;
      });
    },

    /**
     * The newest growth per second. Keeps no series.
     * @param {string} metric
     * @param {Labels} labels
     */
    rateNow: (metric, labels) => {
      const [before, after] = times.slice(-2);
      if (before === undefined || after === undefined) return 0;
      const [from = 0, to = 0] = newest.map((scrape) => sumIn(scrape, metric, labels));
      return growth(from, to) / ((after - before) / 1000);
    },
  };
};

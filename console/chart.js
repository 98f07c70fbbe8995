/** Line charts as SVG, with a legend that gives the same numbers as text. */
import { el, say, svg } from "./dom.js";
import { count, duration } from "./format.js";
import { EVERY, KEPT } from "./metrics.js";

/** @typedef {{ name: string, values: readonly number[], total?: number }} Series total: of a counter, since the gateway started */

const WIDTH = 600;
const HEIGHT = 160;
const TOP = 8;

/** Possible numbers of values on the x axis: 2, 5 and 15 minutes. A chart uses the smallest number that is enough for its values. */
const SPANS = [60, 150, KEPT];

/** @param {number} scrapes */
const spanOf = (scrapes) => SPANS.find((span) => span >= scrapes) ?? KEPT;

/**
 * Rounds up to 1, 2 or 5 times a power of ten.
 * @param {number} value
 * @param {number} least
 */
const roundUp = (value, least) => {
  if (value <= least) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
};

/**
 * @param {readonly number[]} values
 * @param {number} highest
 * @param {number} span
 */
const pathOf = (values, highest, span) => {
  const from = span - Math.min(span, values.length);
  return values
    .slice(-span)
    .map((value, i) => {
      const x = ((from + i) / (span - 1)) * WIDTH;
      const y = HEIGHT - (value / highest) * (HEIGHT - TOP);
      return `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
};

/**
 * A chart, and the function that draws it. The index of a series decides its colour and its line pattern.
 * @param {string} title
 * @param {(value: number) => string} format
 * @param {number} [least] lower limit of the scale's highest value
 */
export const chart = (title, format, least = 1) => {
  const lines = svg("g");
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "chart" },
    svg("path", {
      d: `M0 ${TOP}H${WIDTH}M0 ${(HEIGHT + TOP) / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`,
      class: "grid",
    }),
    lines,
  );
  const scale = el("p", { class: "scale", "aria-hidden": "true" });
  const window = el("span", { class: "hint" });
  const legend = el("ul", { class: "legend" });
  const node = el(
    "figure",
    { class: "panel" },
    el("figcaption", {}, title, window),
    el("div", { class: "plot" }, picture, scale),
    legend,
  );

  /** @param {readonly Series[]} all */
  const draw = (all) => {
    const span = spanOf(Math.max(...all.map(({ values }) => values.length)));
    const highest = roundUp(Math.max(0, ...all.flatMap(({ values }) => values)), least);
    say(window, ` last ${duration((span * EVERY) / 1000)}`);
    say(scale, format(highest));
    while (lines.childNodes.length < all.length) {
      const number = lines.childNodes.length + 1;
      lines.append(svg("path", { class: `line s${number}` }));
      legend.append(el("li", { class: `s${number}` }));
    }
    all.forEach(({ name, values, total }, i) => {
      const [path, item] = [lines.children[i], legend.children[i]];
      path?.setAttribute("d", pathOf(values, highest, span));
      const peak = format(Math.max(0, ...values));
      const sum = total === undefined ? "" : ` · total ${count(total)}`;
      if (item) say(item, `${name} ${format(values.at(-1) ?? 0)} (peak ${peak})${sum}`);
    });
  };
  return { node, draw };
};

const SPARK = 30;

/** A small line in a table cell, beside its number. */
export const sparkline = () => {
  const path = svg("path", { class: "line s1" });
  const node = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "spark" },
    path,
  );
  /** @param {readonly number[]} values */
  const draw = (values) => {
    path.setAttribute("d", pathOf(values.slice(-SPARK), Math.max(1, ...values.slice(-SPARK)), SPARK));
  };
  return { node, draw };
};

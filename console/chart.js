/** Lines over time, as SVG, with the same told in words. */
import { el, say, svg } from "./dom.js";
import { duration } from "./format.js";
import { EVERY, KEPT } from "./metrics.js";

/** @typedef {{ name: string, values: readonly number[] }} Series */

const WIDTH = 600;
const HEIGHT = 160;
const TOP = 8;

/** Looks that a chart spans: it grows until it shows all that is kept. */
const SPANS = [KEPT / 5, KEPT / 2, KEPT];

/** @param {number} looks */
const spanOf = (looks) => SPANS.find((span) => span >= looks) ?? KEPT;

/**
 * The least of 1, 2 and 5 times a power of ten that holds it.
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
 * A chart and the function that draws it anew. Each series has a colour and a pattern of its own, by its place.
 * @param {string} title
 * @param {(value: number) => string} format
 * @param {number} [least] that the scale reaches up to
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
    all.forEach(({ name, values }, i) => {
      const [path, item] = [lines.children[i], legend.children[i]];
      path?.setAttribute("d", pathOf(values, highest, span));
      const most = format(Math.max(0, ...values));
      if (item) say(item, `${name} ${format(values.at(-1) ?? 0)}, at most ${most}`);
    });
  };
  return { node, draw };
};

const SPARK = 30;

/** A line as small as a word; the cell beside it has the number. */
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

/** The frame: which view is shown, and whether the gateway could store an event now. */
import { ask, getJson, wordsOf } from "./api.js";
import { el, say } from "./dom.js";
import { startLooking } from "./metrics.js";
import { showConnector } from "./connector.js";
import { showConnectors } from "./connectors.js";
import { showHealth } from "./health.js";
import { showStation } from "./station.js";
import { showStations } from "./stations.js";

/**
 * @typedef {object} Gateway facts of `GET /gateway`
 * @property {readonly string[]} roles
 * @property {string} version
 * @property {string} commit
 * @property {{ kind: string, addresses: readonly string[], clusterId: string | null, topics: number | null, partitions: number | null }} broker
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} main where it is shown
 * @property {string} name of the station or connector that it is about
 * @property {Gateway} gateway
 * @property {AbortSignal} signal aborted when another view takes its place
 */

/** @type {Record<string, { title: string, role?: string, list: (view: View) => unknown, one?: (view: View) => unknown }>} */
const VIEWS = {
  stations: { title: "Stations", list: showStations, one: showStation },
  connectors: { title: "Connectors", role: "delivery", list: showConnectors, one: showConnector },
  health: { title: "Health", list: showHealth },
};

const READY_EVERY = 3000;

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const readiness = /** @type {HTMLElement} */ (document.getElementById("readiness"));

let leaving = new AbortController();

/** @param {Gateway} gateway */
const served = ({ roles }) =>
  Object.entries(VIEWS).filter(([, { role }]) => role === undefined || roles.includes(role));

/** @param {Gateway} gateway */
const drawNav = (gateway) => {
  nav.replaceChildren(
    ...served(gateway).map(([path, { title }]) => el("li", {}, el("a", { href: `#/${path}` }, title))),
  );
};

/** @param {string} current */
const markCurrent = (current) => {
  for (const link of nav.querySelectorAll("a")) {
    if (link.getAttribute("href") === `#/${current}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
};

/** @param {string} text as it stands in the address */
const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** @param {Gateway} gateway */
const route = (gateway) => {
  leaving.abort();
  leaving = new AbortController();
  const [, path = "", name = ""] = /^#\/(\w+)(?:\/(.+))?$/.exec(location.hash) ?? [];
  const known = new Map(served(gateway));
  const current = known.has(path) ? path : "stations";
  const view = known.get(current);
  const shown = decoded(name);
  markCurrent(current);
  document.title = `${shown || view?.title} · Stationgate console`;
  main.replaceChildren();
  const given = { main, name: shown, gateway, signal: leaving.signal };
  (shown !== "" && view?.one ? view.one : view?.list)?.(given);
};

const askReadiness = async () => {
  try {
    await ask("/readyz");
    readiness.className = "pill good";
    say(readiness, "ready");
  } catch (error) {
    readiness.className = "pill bad";
    say(readiness, `not ready: ${wordsOf(error)}`);
  }
  setTimeout(askReadiness, READY_EVERY);
};

const start = async () => {
  void askReadiness();
  void startLooking();
  /** @type {Gateway} */
  const gateway = await getJson("/gateway");
  drawNav(gateway);
  route(gateway);
  addEventListener("hashchange", () => {
    // The skip link's own hash is no view.
    if (!location.hash.startsWith("#/")) return;
    route(gateway);
    main.focus();
  });
};

start().catch((error) => {
  main.replaceChildren(el("p", { role: "alert" }, wordsOf(error)));
});

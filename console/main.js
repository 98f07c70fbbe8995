/** The page around the views: navigation, the current view, and whether the gateway can store an event now. */
import { getJson, wordsOf } from "./api.js";
import { el, say } from "./dom.js";
import { startScraping } from "./metrics.js";
import { showConnector } from "./connector.js";
import { showCreation, showEdit } from "./connector-form.js";
import { showConnectors } from "./connectors.js";
import { showHealth } from "./health.js";
import { hasRole, sessionFacts } from "./session.js";
import { showStation } from "./station.js";
import { showStations } from "./stations.js";

/**
 * @typedef {object} Gateway facts of `GET /gateway`
 * @property {readonly string[]} roles
 * @property {string} version
 * @property {string} commit
 * @property {{ kind: string, addresses: readonly string[], clusterId: string | null, topics: number | null, partitions: number | null }} broker
 * @property {boolean} viewersReadEvents
 * @property {{ scheme: string, host: string, port: number }} publicListener where clients connect; port 0: not known
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} main the element that the view fills
 * @property {string} name of the station or connector
 * @property {Gateway} gateway
 * @property {(least: import("./session.js").Role) => boolean} may whether the operator has this role or a higher one
 * @property {boolean} mayReadEvents
 * @property {AbortSignal} signal aborted when another view is shown
 */

/**
 * `of`: the entry of the navigation that the view belongs to. `role`: the role of the gateway that serves it. `least`: the role
 * that the operator needs.
 * @type {Record<string, { title: string, of?: string, role?: string, least?: import("./session.js").Role, list: (view: View) => unknown, one?: (view: View) => unknown }>}
 */
const VIEWS = {
  stations: { title: "Stations", list: showStations, one: showStation },
  connectors: { title: "Connectors", role: "delivery", list: showConnectors, one: showConnector },
  create: { title: "New connector", of: "connectors", role: "delivery", least: "admin", list: showCreation },
  edit: { title: "Connectors", of: "connectors", role: "delivery", list: showConnectors, one: showEdit },
  health: { title: "Health", list: showHealth },
};

const READY_EVERY = 3000;

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
const readiness = /** @type {HTMLElement} */ (document.getElementById("readiness"));
const operator = /** @type {HTMLElement} */ (document.getElementById("operator"));

let leaving = new AbortController();

/** @typedef {{ gateway: Gateway, session: import("./session.js").Session }} Known */

/** @param {Known} known */
const served = ({ gateway: { roles }, session }) =>
  Object.entries(VIEWS).filter(
    ([, { role, least = "viewer" }]) =>
      (role === undefined || roles.includes(role)) && hasRole(session.role, least),
  );

/** @param {Known} known */
const drawNav = (known) => {
  nav.replaceChildren(
    ...served(known)
      .filter(([, { of }]) => of === undefined)
      .map(([path, { title }]) => el("li", {}, el("a", { href: `#/${path}` }, title))),
  );
};

/** @param {string} current */
const markCurrent = (current) => {
  for (const link of nav.querySelectorAll("a")) {
    if (link.getAttribute("href") === `#/${current}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
};

/** @param {string} text percent-encoded, from the address */
const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Path and name in the address: `#/stations/trials`. */
const target = () => {
  const [, path = "", name = ""] = /^#\/(\w+)(?:\/(.+))?$/.exec(location.hash) ?? [];
  return { path, name: decoded(name) };
};

/** @param {Known} facts */
const route = (facts) => {
  const { gateway, session } = facts;
  leaving.abort();
  leaving = new AbortController();
  const { path, name } = target();
  const known = new Map(served(facts));
  const current = known.has(path) ? path : "stations";
  const view = known.get(current);
  markCurrent(view?.of ?? current);
  document.title = `${name || view?.title} · Stationgate console`;
  main.replaceChildren();
  const given = {
    ...{ main, name, gateway, signal: leaving.signal },
    may: (/** @type {import("./session.js").Role} */ least) => hasRole(session.role, least),
    mayReadEvents: gateway.viewersReadEvents || hasRole(session.role, "operator"),
  };
  (name !== "" && view?.one ? view.one : view?.list)?.(given);
};

const askReadiness = async () => {
  try {
    const { spooling } = await getJson("/readyz");
    readiness.className = spooling ? "pill warn" : "pill good";
    say(readiness, spooling ? "ready, spooling" : "ready");
  } catch (error) {
    readiness.className = "pill bad";
    say(readiness, `not ready: ${wordsOf(error)}`);
  }
  setTimeout(askReadiness, READY_EVERY);
};

const start = async () => {
  void askReadiness();
  void startScraping();
  const [gateway, session] = await Promise.all([getJson("/gateway"), getJson("/session")]);
  /** @type {Known} */
  const known = { gateway, session };
  operator.replaceChildren(...sessionFacts(session));
  drawNav(known);
  route(known);
  addEventListener("hashchange", () => {
    // The skip link changes the hash too, but its hash is not a view.
    if (!location.hash.startsWith("#/")) return;
    route(known);
    main.focus();
  });
};

start().catch((error) => {
  main.replaceChildren(el("p", { role: "alert" }, wordsOf(error)));
});

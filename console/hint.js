/** How to send the first event: three commands, shown until the gateway has stored one. */
import { el, say } from "./dom.js";
import { hasScraped } from "./metrics.js";

/** Addresses that mean "all interfaces": the browser reaches the gateway under the host of this page. */
const WILDCARDS = new Set(["0.0.0.0", "::", ""]);

/** @param {import("./main.js").Gateway} gateway */
const addressOf = ({ publicListener: { scheme, host, port } }) => {
  const name = WILDCARDS.has(host) ? location.hostname : host;
  const quoted = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
  // Port 0: the process doesn't know the port.
  return `${scheme}://${quoted}:${port === 0 ? "PORT" : port}`;
};

/**
 * The commands contain no secret: the reader fills in the account.
 * @param {string} base
 * @param {string} station
 */
const commandsFor = (base, station) => {
  const json = `-H 'content-type: application/json'`;
  const bearer = `-H "authorization: Bearer $TOKEN"`;
  const account = `{"username":"USERNAME","connection_token":"CONNECTION_TOKEN"}`;
  const path = `${base}/stations/${encodeURIComponent(station)}`;
  return [
    `TOKEN=$(curl -s ${base}/auth/authenticate ${json} -d '${account}' | sed 's/.*"jwt":"\\([^"]*\\)".*/\\1/')`,
    `curl -s ${path}/produce/single ${json} ${bearer} -d '{"hello":"world"}'`,
    `curl -s ${path}/consume/batch ${json} ${bearer} -d '{"consumer_name":"me","batch_max_wait_time_ms":1000}'`,
  ];
};

/** @param {() => string} text */
const copyButton = (text) => {
  // A page on plain HTTP has no clipboard, except on localhost.
  if (navigator.clipboard === undefined) return undefined;
  const answer = el("span", { role: "status", class: "hint" });
  const copy = () =>
    navigator.clipboard.writeText(text()).then(
      () => say(answer, "Copied."),
      () => say(answer, "The browser refused to copy. Select the text instead."),
    );
  return el(
    "div",
    { class: "bar" },
    el("button", { type: "button", click: () => void copy() }, "Copy"),
    answer,
  );
};

const STEPS = ["Authenticate", "Produce an event", "Read it back"];

/**
 * @param {import("./main.js").Gateway} gateway
 * @param {() => string} station that the commands use
 */
export const hintPanel = (gateway, station) => {
  const lines = STEPS.map((step) => el("pre", { tabindex: 0, role: "group", "aria-label": step }));
  const node = el(
    "section",
    { class: "panel", "aria-label": "Send the first event", hidden: true },
    el("h2", {}, "Send the first event"),
    el("p", {}, "No event was stored here since the gateway started."),
    el("ol", { class: "steps" }, ...lines.map((line, i) => el("li", {}, STEPS[i], line))),
    copyButton(() => lines.map(({ textContent }) => textContent).join("\n")),
    el(
      "p",
      { class: "hint" },
      "Replace USERNAME and CONNECTION_TOKEN with an account of ",
      el("code", {}, "auth.accounts"),
      ". A start without settings creates the account root; its token is ",
      el("code", {}, "connectionToken"),
      " in ",
      el("code", {}, "data/identity.json"),
      ".",
    ),
  );
  /** @param {number} stored number of events stored so far */
  const draw = (stored) => {
    node.hidden = stored > 0 || !hasScraped() || !gateway.roles.includes("ingest");
    if (node.hidden) return;
    const commands = commandsFor(addressOf(gateway), station());
    lines.forEach((line, i) => say(line, commands[i] ?? ""));
  };
  return { node, draw };
};

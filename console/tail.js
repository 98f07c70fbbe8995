/** The live tail of a station. */
import { Refusal, wordsOf } from "./api.js";
import { el, field, say } from "./dom.js";
import { readEvents } from "./event-stream.js";
import { count } from "./format.js";
import { recordItem } from "./record.js";

/** Maximum number of records on the page. */
const MAX_SHOWN = 200;
const AGAIN_AFTER = 2000;
const SAY_EVERY = 1000;

/** @param {number} number */
const records = (number) => `${count(number)} ${number === 1 ? "record" : "records"}`;

const controls = () => ({
  filter: el("input", { type: "search", maxlength: 200, autocomplete: "off" }),
  place: el(
    "select",
    {},
    el("option", { value: "any" }, "key or value"),
    el("option", { value: "value" }, "value"),
    el("option", { value: "key" }, "key"),
  ),
  last: el("input", { type: "number", min: 0, max: 1000, value: 10, inputmode: "numeric" }),
});

/** @param {number} ms @param {AbortSignal} signal */
const wait = (ms, signal) =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve(undefined);
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });

/**
 * Inserts by time, newest first: a partition that catches up delivers older records later.
 * @param {HTMLElement} list
 * @param {import("./record.js").Shown} record
 */
const insert = (list, record) => {
  const item = recordItem(record);
  item.dataset["at"] = String(record.timestamp);
  const isNewer = (/** @type {Element} */ other) =>
    other instanceof HTMLElement && Number(other.dataset["at"]) > record.timestamp;
  let after = list.firstElementChild;
  while (after !== null && isNewer(after)) after = after.nextElementSibling;
  list.insertBefore(item, after);
  if (list.childElementCount > MAX_SHOWN) list.lastElementChild?.remove();
};

/**
 * The state of the tail. The text changes at most once a second, so that a screen reader can finish reading it.
 * @param {AbortSignal} signal
 */
const statusLine = (signal) => {
  const node = el("p", { role: "status", class: "hint" }, "Stopped, 0 records");
  const seen = { state: "Stopped", came: 0, lost: 0, hidden: 0 };
  const tell = () => {
    const lost = seen.lost === 0 ? "" : `, ${count(seen.lost)} deleted before they were read`;
    const hidden = seen.hidden === 0 ? "" : `, ${count(seen.hidden)} can’t be shown`;
    say(node, `${seen.state}, ${records(seen.came)}${lost}${hidden}`);
  };
  const timer = setInterval(tell, SAY_EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  return { node, seen, tell };
};

/** Why the gateway ends a stream, by its reason. @type {Record<string, string>} */
const ENDS = {
  shutdown: "The gateway is shutting down",
  age: "The stream has reached its maximum age",
};

/**
 * Reads until the signal or a refusal ends it. Reconnects when the stream has ended, and continues after the last record.
 * @param {string} path
 * @param {{ signal: AbortSignal, list: HTMLElement, status: ReturnType<typeof statusLine> }} to
 */
const follow = async (path, { signal, list, status: { seen, tell } }) => {
  /** @type {string | undefined} */
  let lastId;
  /** @type {string | undefined} */
  let end;
  /** @param {unknown} data */
  const show = (data) => {
    seen.came += 1;
    try {
      insert(list, /** @type {import("./record.js").Shown} */ (data));
    } catch {
      // A record that can't be shown must not end the tail: it would reconnect and receive the record again.
      seen.hidden += 1;
    }
  };
  /** @param {import("./event-stream.js").StreamEvent} event */
  const onEvent = ({ name, data, id }) => {
    const isFirst = seen.state !== "Live";
    seen.state = "Live";
    lastId = id ?? lastId;
    if (name === "gap") {
      const { from, to } = /** @type {{ from: string, to: string }} */ (data);
      // In a new topic the offsets begin again.
      seen.lost += Math.max(0, Number(to) - Number(from));
    } else if (name === "end") {
      const { reason } = /** @type {{ reason: string }} */ (data);
      end = ENDS[reason] ?? reason;
    } else if (data !== undefined) show(data);
    if (isFirst) tell();
  };
  while (!signal.aborted) {
    end = undefined;
    try {
      await readEvents(path, { signal, lastId, onEvent });
      seen.state = `${end ?? "The gateway closed the stream"}, reconnecting`;
    } catch (error) {
      if (signal.aborted) return;
      seen.state = wordsOf(error);
      if (error instanceof Refusal && error.status < 500 && error.status !== 429) return;
      seen.state += " Reconnecting";
    }
    tell();
    await wait(AGAIN_AFTER, signal);
  }
};

/**
 * @param {string} station
 * @param {AbortSignal} signal
 */
export const tailPanel = (station, signal) => {
  const { filter, place, last } = controls();
  const start = el("button", { class: "primary" }, "Start");
  const stop = el("button", { type: "button", disabled: true }, "Stop");
  const clear = el("button", { type: "button", click: () => list.replaceChildren() }, "Clear");
  const status = statusLine(signal);
  const list = el("ol", { class: "records", "aria-label": "Records, newest first" });
  /** @type {AbortController | undefined} */
  let reading;
  signal.addEventListener("abort", () => reading?.abort());

  const begin = async () => {
    reading?.abort();
    const mine = new AbortController();
    reading = mine;
    const wanted = { filter: filter.value, in: place.value };
    const query = new URLSearchParams({ ...wanted, last: String(Number(last.value) || 0) });
    const path = `/stations/${encodeURIComponent(station)}/tail?${query}`;
    list.replaceChildren();
    Object.assign(status.seen, { state: "Starting", came: 0, lost: 0, hidden: 0 });
    say(start, "Restart");
    stop.disabled = false;
    await follow(path, { signal: mine.signal, list, status });
    if (reading === mine) stop.disabled = true;
    status.tell();
  };
  stop.addEventListener("click", () => {
    reading?.abort();
    status.seen.state = "Stopped";
    stop.disabled = true;
    start.focus();
    status.tell();
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void begin();
  };
  const form = el(
    "form",
    { class: "bar", submit },
    field("Contains", filter),
    field("Search in", place),
    field("Start from the last N records of each partition", last),
    el("div", { class: "buttons" }, start, stop, clear),
  );
  return el(
    "section",
    { class: "panel", "aria-label": "Live tail" },
    el("h2", {}, "Live tail"),
    form,
    status.node,
    list,
  );
};

/** One connector: state, actions, failed attempts, dead letters, configuration. */
import { getJson, send, wordsOf } from "./api.js";
import { chart } from "./chart.js";
import { attemptSeries, lagText, sourceText, statePill, stateOf } from "./connectors.js";
import { el, facts, say, table } from "./dom.js";
import { clockTime, count, duration, rate } from "./format.js";
import { watch } from "./metrics.js";
import { poll } from "./poll.js";
import { recordItem } from "./record.js";

const POLL_EVERY = 2000;

/**
 * @typedef {import("./record.js").Shown & {
 *   of: { topic: string, partition: number, offset: string },
 *   attempts: number, status: number | null, error: string | null
 * }} Letter a dead letter with its original record
 */

/** @typedef {{ at: number, topic: string, partition: number, offset: string, attempt: number, outcome: string, status: number | null, error: string | null, retryInMs: number | null }} Failure */

/** @type {readonly (readonly [string, string, string, (state: string) => boolean, string?])[]} */
const ACTIONS = [
  ["Pause", "PUT", "pause", (state) => state === "RUNNING"],
  ["Resume", "PUT", "resume", (state) => state === "PAUSED" || state === "STOPPED"],
  ["Restart", "POST", "restart", (state) => state !== "STOPPED"],
  [
    "Stop",
    "PUT",
    "stop",
    (state) => state !== "STOPPED",
    "Stop the connector? It releases its partitions until it is resumed.",
  ],
];

/**
 * Asks for a confirmation.
 * @param {string} question
 * @returns {Promise<boolean>}
 */
const confirmed = (question) =>
  new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { "aria-label": question, close: () => done() },
      el("p", {}, question),
      el(
        "form",
        { method: "dialog", class: "buttons" },
        el("button", { value: "yes", class: "primary" }, "Yes"),
        el("button", { value: "no", autofocus: true }, "No"),
      ),
    );
    const done = () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    };
    document.body.append(dialog);
    dialog.showModal();
  });

/**
 * @param {string} path of the connector
 * @param {() => Promise<void>} reload
 */
const actionBar = (path, reload) => {
  const answer = el("p", { role: "status", class: "answer" });
  /** @param {string} label @param {() => Promise<unknown>} act @param {string} [question] */
  const button = (label, act, question) =>
    el(
      "button",
      {
        click: async () => {
          if (question !== undefined && !(await confirmed(question))) return;
          try {
            await act();
            answer.className = "answer good";
            say(answer, `${label}: done.`);
          } catch (error) {
            answer.className = "answer bad";
            say(answer, `${label}: ${wordsOf(error)}`);
          }
          await reload();
        },
      },
      label,
    );
  const buttons = ACTIONS.map(([label, method, verb, isOffered, question]) => ({
    isOffered,
    node: button(label, () => send(method, `${path}/${verb}`), question),
  }));
  const replay = button(
    "Replay dead letters",
    () => send("POST", `${path}/dead-letters/replay`),
    "Deliver all dead letters again?",
  );
  /** @param {string} state @param {number | undefined} letters */
  const offer = (state, letters) => {
    for (const { node, isOffered } of buttons) node.disabled = !isOffered(state);
    replay.disabled = letters === undefined || letters === 0;
  };
  const node = el("div", { class: "actions" }, ...buttons.map(({ node: one }) => one), replay, answer);
  return { node, offer };
};

/** @param {readonly Failure[]} failures */
const failureTable = (failures) =>
  failures.length === 0
    ? el("p", { class: "hint" }, "No failed attempt since the workers started.")
    : table(
        "Failed attempts, newest first",
        ["When", "Record", "Attempt", "Next action", "Status", "Error"],
        failures.map(({ at, topic, partition, offset, attempt, outcome, status, error, retryInMs }) => [
          clockTime(at),
          `${topic} ${partition}@${offset}`,
          count(attempt),
          retryInMs === null ? outcome : `${outcome} in ${duration(retryInMs / 1000)}`,
          status ?? "no answer",
          error ?? "",
        ]),
      );

/** @param {number} missing */
const missingHint = (missing) =>
  missing === 0
    ? []
    : [
        el(
          "p",
          { class: "hint" },
          `Failed attempts of ${missing} workers are missing, because these workers did not answer.`,
        ),
      ];

/** @param {string} path @param {AbortSignal} signal */
const lettersPanel = (path, signal) => {
  const list = el("ol", { class: "records", "aria-label": "Dead letters, newest first" });
  const status = el("p", { class: "hint", role: "status" });
  const show = async () => {
    say(status, "Loading…");
    try {
      const { topic, records } = await getJson(`${path}/dead-letters/records`, signal);
      say(
        status,
        records.length === 0 ? `${topic} has no dead letters.` : `Newest dead letters of ${topic}:`,
      );
      list.replaceChildren(
        ...records.map((/** @type {Letter} */ letter) =>
          recordItem(letter, [
            ["Original record", `${letter.of.topic} ${letter.of.partition}@${letter.of.offset}`],
            ["Attempts", count(letter.attempts)],
            ["Status", letter.status ?? "no answer"],
            ["Error", letter.error ?? "none"],
          ]),
        ),
      );
    } catch (error) {
      if (!signal.aborted) say(status, wordsOf(error));
    }
  };
  return el(
    "section",
    { class: "panel", "aria-label": "Dead letters", hidden: true },
    el("h2", {}, "Dead letters"),
    el("div", { class: "buttons" }, el("button", { click: show }, "Show newest")),
    status,
    list,
  );
};

/** @typedef {{ records: number, topic: string, replaying: boolean }} DeadLetters */

/**
 * @typedef {object} Known facts of a connector at one time
 * @property {import("./connectors.js").Status} status
 * @property {import("./connectors.js").Origin | undefined} origin undefined: the connector was deleted meanwhile
 * @property {readonly Failure[]} failures
 * @property {number} missing number of workers that did not report their failures
 * @property {DeadLetters | undefined} dead undefined: no dead letter topic
 */

/**
 * @param {string} name
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Known>}
 */
const ask = async (name, path, signal) => {
  const [status, { failures, missingWorkers: missing = 0 }, dead, origins] = await Promise.all([
    getJson(`${path}/status`, signal),
    getJson(`${path}/failures`, signal),
    getJson(`${path}/dead-letters`, signal).catch(() => undefined),
    getJson("/connectors?expand=origin", signal),
  ]);
  return { status, failures, missing, dead, origin: origins[name]?.origin };
};

/** Panels with the facts. They are redrawn only after a change, so that a text selection stays. */
const statePanels = () => {
  const [about, trace, failing, lag] = [el("div"), el("div"), el("div"), el("span")];
  let drawn = "";
  /** @param {Known} known */
  const draw = ({ status, failures, missing, dead, origin }) => {
    const now = JSON.stringify([status, dead, failures, missing, origin]);
    if (now === drawn) return;
    drawn = now;
    const letters = dead && `${count(dead.records)} in ${dead.topic}${dead.replaying ? ", replaying" : ""}`;
    about.replaceChildren(
      facts([
        ["State", statePill(stateOf(status))],
        ["Tasks", count(status.tasks.length)],
        ["Worker", status.connector.worker_id],
        ["Lag (this gateway)", lag],
        ["Dead letters", letters ?? "no dead letter topic"],
        ["Source", origin === undefined ? "–" : sourceText(origin)],
      ]),
    );
    const why = status.tasks.find(({ trace }) => trace)?.trace;
    trace.replaceChildren(
      why
        ? el(
            "pre",
            { class: "bad panel", role: "region", "aria-label": "Cause of the failure", tabindex: 0 },
            why,
          )
        : "",
    );
    failing.replaceChildren(failureTable(failures), ...missingHint(missing));
  };
  const errors = el(
    "section",
    { class: "panel", "aria-label": "Last errors" },
    el("h2", {}, "Last errors"),
    failing,
  );
  return { about, trace, errors, lag, draw };
};

/** @param {string} path @param {AbortSignal} signal */
const configPanel = (path, signal) => {
  const panel = el("details", { class: "panel" }, el("summary", {}, "Configuration"));
  const open = async () => {
    const shown = await getJson(`${path}/config`, signal).then(
      (config) => facts(Object.entries(config)),
      (error) => el("p", { role: "alert" }, wordsOf(error)),
    );
    panel.append(shown);
  };
  panel.addEventListener("toggle", () => void open(), { once: true });
  return panel;
};

/** @param {import("./main.js").View} view */
export const showConnector = async ({ main, name, may, mayReadEvents, signal }) => {
  const path = `/connectors/${encodeURIComponent(name)}`;
  const attempts = chart("Attempts by outcome", rate);
  const state = statePanels();
  const letters = mayReadEvents ? lettersPanel(path, signal) : undefined;
  const trouble = el("p", { role: "alert" });
  const edit = el("a", { class: "button", href: `#/edit/${encodeURIComponent(name)}` }, "View configuration");

  const load = async () => {
    const known = await ask(name, path, signal);
    actions.offer(stateOf(known.status), known.dead?.records);
    if (letters !== undefined) letters.hidden = known.dead === undefined;
    const isReadOnly = known.origin === "file" || !may("admin");
    say(edit, isReadOnly ? "View configuration" : "Edit configuration");
    state.draw(known);
  };
  const reload = poll(signal, POLL_EVERY, load, trouble);
  const actions = actionBar(path, reload);

  main.append(
    el("p", { class: "crumbs" }, el("a", { href: "#/connectors" }, "Connectors")),
    el("div", { class: "title" }, el("h1", {}, name), edit),
    trouble,
    state.about,
    may("operator") ? actions.node : "",
    state.trace,
    attempts.node,
    state.errors,
    letters ?? "",
    configPanel(path, signal),
  );
  watch(signal, () => {
    attempts.draw(attemptSeries({ connector: name }));
    say(state.lag, lagText(name));
  });
  await reload();
};

/** A form to create or edit a connector. The gateway checks the configuration while the operator types. */
import { getJson, send, wordsOf } from "./api.js";
import { connectorFields } from "./connector-fields.js";
import { configFromJson, configToJson } from "./connector-json.js";
import { el, field, say } from "./dom.js";

/** @typedef {import("./connector-fields.js").Config} Config */
/** @typedef {import("./connector-fields.js").Checked} Checked */

/** Milliseconds from the last keystroke to the check. */
const DEBOUNCE = 300;

/**
 * @typedef {object} Subject
 * @property {Config} config the configuration to begin with
 * @property {string | undefined} name of an existing connector; undefined: a new connector
 * @property {boolean} isReadOnly the settings file declares the connector, or the operator may not change it
 * @property {boolean} isDeclared
 * @property {readonly string[]} classes that the gateway runs
 */

/**
 * @param {Subject} subject
 * @param {Config} config
 * @param {AbortSignal} signal
 * @returns {Promise<{ error_count: number, configs: readonly Checked[] }>}
 */
const check = async ({ classes }, config, signal) => {
  const given = config["connector.class"] ?? "";
  const checkedBy = classes.includes(given) ? given : (classes[0] ?? given);
  const path = `/connector-plugins/${encodeURIComponent(checkedBy)}/config/validate`;
  return (await send("PUT", path, config, signal)).json();
};

/**
 * @param {Subject} subject
 * @param {Config} config
 */
const save = ({ name }, config) =>
  name === undefined
    ? send("POST", "/connectors", { name: config["name"] ?? "", config })
    : send("PUT", `/connectors/${encodeURIComponent(name)}/config`, config);

/**
 * The configuration as JSON, to read, and to paste from Kafka Connect.
 * @param {boolean} isReadOnly
 * @param {(config: Config) => void} onPaste
 */
const jsonPanel = (isReadOnly, onPaste) => {
  const text = el("textarea", { rows: 14, spellcheck: "false", readonly: isReadOnly });
  const error = el("p", { class: "error", role: "alert" });
  const hint = isReadOnly
    ? undefined
    : "Paste a configuration of Kafka Connect: the settings, or an object with name and config.";
  text.addEventListener("input", () => {
    const read = configFromJson(text.value);
    say(error, "error" in read ? read.error : "");
    if ("error" in read) text.setAttribute("aria-invalid", "true");
    else {
      text.removeAttribute("aria-invalid");
      onPaste(read.config);
    }
  });
  const node = el(
    "details",
    { class: "panel" },
    el("summary", {}, "Configuration as JSON"),
    field("JSON", text, hint),
    error,
  );
  /** @param {Config} config */
  const draw = (config) => {
    // Text that the operator is typing is not replaced.
    if (document.activeElement !== text) text.value = configToJson(config);
  };
  return { node, draw, isInvalid: () => text.hasAttribute("aria-invalid"), focus: () => text.focus() };
};

/** @param {Subject} subject */
const buttonsOf = ({ name, isReadOnly }) => {
  const back = name === undefined ? "#/connectors" : `#/connectors/${encodeURIComponent(name)}`;
  if (isReadOnly) return { saving: undefined, node: el("p", {}, el("a", { href: back }, "Back")) };
  const saving = el("button", { class: "primary" }, name === undefined ? "Create" : "Save");
  return {
    saving,
    node: el("div", { class: "buttons" }, saving, el("a", { class: "button", href: back }, "Cancel")),
  };
};

/**
 * Checks the configuration now, or once the operator has stopped typing. A new check cancels the one in flight.
 * @param {Subject} subject
 * @param {AbortSignal} signal
 * @param {{ onChecked: (errors: number, configs: readonly Checked[]) => void, onFailed: (words: string) => void }} listeners
 */
const createChecker = (subject, signal, { onChecked, onFailed }) => {
  let inFlight = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** false: the gateway found errors, or could not check. @param {Config} config */
  const now = async (config) => {
    clearTimeout(timer);
    inFlight.abort();
    inFlight = new AbortController();
    const mine = AbortSignal.any([inFlight.signal, signal]);
    try {
      const { error_count: errors, configs } = await check(subject, config, mine);
      if (mine.aborted) return false;
      onChecked(errors, configs);
      return errors === 0;
    } catch (error) {
      if (!mine.aborted) onFailed(`The configuration can’t be checked: ${wordsOf(error)}`);
      return false;
    }
  };
  /** @param {Config} config */
  const soon = (config) => {
    clearTimeout(timer);
    inFlight.abort();
    timer = setTimeout(() => void now(config), DEBOUNCE);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { now, soon };
};

/** @param {number} shown @param {boolean} isValid */
const statusText = (shown, isValid) => {
  if (isValid) return "The configuration is valid.";
  return shown === 0 ? "" : `${shown} ${shown === 1 ? "setting is" : "settings are"} invalid.`;
};

/**
 * The parts of the form, and the configuration that they show.
 * @param {Subject} subject
 * @param {AbortSignal} signal
 */
const createEditor = (subject, signal) => {
  const { name, isReadOnly } = subject;
  let { config } = subject;
  const status = el("p", { role: "status", class: "hint" });
  const others = el("p", { role: "alert", class: "answer" });
  const refused = el("p", { role: "alert", class: "answer" });
  const checker = createChecker(subject, signal, {
    onChecked: (errors, configs) => {
      say(others, fields.update(configs, config).join("\n"));
      json.draw(config);
      say(status, isReadOnly ? "" : statusText(fields.shownErrors(), errors === 0));
      say(refused, "");
    },
    onFailed: (words) => say(refused, words),
  });
  /** @param {Config} changed */
  const change = (changed) => {
    config = changed;
    json.draw(config);
    checker.soon(config);
  };
  const fields = connectorFields({
    isReadOnly,
    isStored: name !== undefined,
    onInput: (setting, value) => {
      const rest = Object.entries(config).filter(([other]) => other !== setting);
      change(Object.fromEntries(value === "" ? rest : [...rest, [setting, value]]));
    },
  });
  const json = jsonPanel(isReadOnly, (pasted) => {
    fields.touchAll();
    change(name === undefined ? pasted : { ...pasted, name });
  });
  return {
    fields,
    json,
    messages: [others, status, refused],
    checkNow: () => checker.now(config),
    save: () => save(subject, config),
    nameNow: () => name ?? config["name"]?.trim() ?? "",
    refuse: (/** @type {string} */ words) => say(refused, words),
  };
};

/** @param {ReturnType<typeof createEditor>} editor */
const submit = async ({ fields, json, ...editor }) => {
  if (json.isInvalid()) return json.focus();
  fields.touchAll();
  if (!(await editor.checkNow())) return fields.focusInvalid();
  try {
    await editor.save();
    location.hash = `#/connectors/${encodeURIComponent(editor.nameNow())}`;
  } catch (error) {
    editor.refuse(`Not saved: ${wordsOf(error)}`);
  }
};

/**
 * @param {Subject} subject
 * @param {ReturnType<typeof createEditor>} editor
 */
const connectorForm = (subject, editor) => {
  const { saving, node: buttons } = buttonsOf(subject);
  const onSubmit = async () => {
    if (saving === undefined || saving.disabled) return;
    saving.disabled = true;
    await submit(editor);
    saving.disabled = false;
  };
  return el(
    "form",
    {
      novalidate: true,
      submit: (event) => {
        event.preventDefault();
        void onSubmit();
      },
    },
    el("section", { class: "panel", "aria-label": "Settings" }, editor.fields.node),
    editor.json.node,
    ...editor.messages,
    buttons,
  );
};

/** @param {AbortSignal} signal @returns {Promise<string[]>} */
const classesOf = async (signal) =>
  (await getJson("/connector-plugins", signal)).map(
    (/** @type {{ class: string }} */ plugin) => plugin.class,
  );

/**
 * @param {import("./main.js").View} view
 * @param {string} title
 * @param {() => Promise<Subject>} load
 */
const show = async ({ main, signal }, title, load) => {
  const body = el("div", {}, el("p", { class: "hint" }, "Loading…"));
  main.append(
    el("p", { class: "crumbs" }, el("a", { href: "#/connectors" }, "Connectors")),
    el("h1", {}, title),
    body,
  );
  try {
    const subject = await load();
    const editor = createEditor(subject, signal);
    await editor.checkNow();
    const note = subject.isDeclared
      ? "The settings file declares this connector. Change it there: it is read-only here."
      : "A change of the configuration needs the role admin.";
    body.replaceChildren(
      subject.isReadOnly ? el("p", { class: "note" }, note) : "",
      connectorForm(subject, editor),
    );
  } catch (error) {
    if (!signal.aborted) body.replaceChildren(el("p", { role: "alert" }, wordsOf(error)));
  }
};

/** @param {import("./main.js").View} view */
export const showCreation = (view) =>
  show(view, "New connector", async () => {
    const classes = await classesOf(view.signal);
    const [first] = classes;
    return {
      config: first === undefined ? {} : { "connector.class": first },
      name: undefined,
      ...{ isReadOnly: false, isDeclared: false },
      classes,
    };
  });

/** @param {import("./main.js").View} view */
export const showEdit = (view) =>
  show(view, `Configuration of ${view.name}`, async () => {
    const { name, may, signal } = view;
    const [config, origins, classes] = await Promise.all([
      getJson(`/connectors/${encodeURIComponent(name)}/config`, signal),
      getJson("/connectors?expand=origin", signal),
      classesOf(signal),
    ]);
    const isDeclared = origins[name]?.origin === "file";
    return { config, name, isReadOnly: isDeclared || !may("admin"), isDeclared, classes };
  });

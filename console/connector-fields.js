/** The fields of a connector's configuration, built from the definitions that the gateway's validation returns. */
import { el, say } from "./dom.js";

/**
 * @typedef {object} Checked one setting, as `PUT /connector-plugins/{class}/config/validate` describes it
 * @property {{ name: string, display_name: string, type: string, required: boolean, documentation: string, default_value: string | null }} definition
 * @property {{ value: string | null, errors: readonly string[], recommended_values: readonly string[] }} value
 */

/** @typedef {Record<string, string>} Config */
/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/** Settings that are shown first, besides the required ones. */
const FIRST = new Set([
  "name",
  "topics",
  "topics.regex",
  "callback.request.headers",
  "exception.strategy",
  "dead.letter.topic",
  "secret",
]);

/** @param {Checked} checked @param {boolean} isReadOnly @returns {Control} */
const controlOf = ({ definition: { name, type, required, default_value }, value }, isReadOnly) => {
  const shared = { "aria-required": required && "true", autocomplete: "off", spellcheck: "false" };
  if (value.recommended_values.length > 0) {
    const unset = default_value === null ? "Choose…" : `Default (${default_value})`;
    const options = value.recommended_values.map((choice) => el("option", { value: choice }, choice));
    return el("select", { ...shared, disabled: isReadOnly }, el("option", { value: "" }, unset), ...options);
  }
  if (name.endsWith(".headers")) return el("textarea", { ...shared, rows: 2, readonly: isReadOnly });
  const isSecret = type === "PASSWORD";
  const isNumber = type === "INT" || type === "DOUBLE";
  return el("input", {
    ...shared,
    type: isSecret ? "password" : "text",
    inputmode: isNumber && "decimal",
    autocomplete: isSecret ? "new-password" : "off",
    readonly: isReadOnly,
  });
};

/**
 * Sets the value without moving the caret of a field that has it already. A select gets an option for a value that it
 * doesn't know.
 * @param {Control} control
 * @param {string} value
 */
const setValue = (control, value) => {
  if (control.value === value) return;
  if (control instanceof HTMLSelectElement) {
    const known = [...control.options].find((option) => option.value.toLowerCase() === value.toLowerCase());
    if (known === undefined) control.append(el("option", { value }, value));
    control.value = known?.value ?? value;
  } else control.value = value;
};

/** @param {Checked["definition"]} definition @param {boolean} isStored */
const helpOf = ({ required, documentation, type }, isStored) =>
  [
    required ? "Required." : "",
    documentation,
    type === "PASSWORD" && isStored ? "Leave ******** to keep the stored secret." : "",
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");

/**
 * One field. It shows its errors with the first check after an input or after the focus has left it, or after `touch`.
 * @param {Checked} checked
 * @param {{ isReadOnly: boolean, isStored: boolean, onInput: (name: string, value: string) => void }} options
 */
const fieldOf = (checked, { isReadOnly, isStored, onInput }) => {
  const { definition } = checked;
  const { name } = definition;
  const control = controlOf(checked, isReadOnly);
  const error = el("p", { class: "error", id: `error-${name}` });
  const help = el("p", { class: "hint", id: `help-${name}` }, helpOf(definition, isStored));
  control.id = `setting-${name}`;
  control.setAttribute("aria-describedby", `${error.id} ${help.id}`);
  let isTouched = false;
  /** @type {readonly string[]} */
  let errors = [];
  const draw = () => {
    const shown = isTouched ? errors : [];
    say(error, shown.join("\n"));
    if (shown.length > 0) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  const touch = () => {
    isTouched = true;
    draw();
  };
  control.addEventListener("input", () => {
    isTouched = true;
    onInput(name, control.value);
  });
  control.addEventListener("blur", () => {
    // The error appears with the next check. If it appeared now, it would move the button that the operator is clicking.
    isTouched = true;
  });
  return {
    name,
    control,
    touch,
    isFirst: definition.required || FIRST.has(name),
    isInvalid: () => control.hasAttribute("aria-invalid"),
    node: el(
      "div",
      { class: "field" },
      el("label", { for: control.id }, definition.display_name),
      control,
      error,
      help,
    ),
    /** @param {Checked} newest @param {Config} config */
    update: ({ value }, config) => {
      setValue(control, config[name] ?? "");
      // The default, or the value of an alias such as callback.request.methods.
      if (!(control instanceof HTMLSelectElement)) control.placeholder = value.value ?? "";
      errors = value.errors;
      draw();
    },
  };
};

/**
 * All fields. They are built with the first `update`. The name of a stored connector can't be changed.
 * @param {{ isReadOnly: boolean, isStored: boolean, onInput: (name: string, value: string) => void }} options
 */
export const connectorFields = ({ isReadOnly, isStored, onInput }) => {
  /** @type {Map<string, ReturnType<typeof fieldOf>>} */
  const fields = new Map();
  const first = el("div", { class: "fields" });
  const rest = el("div", { class: "fields" });
  const more = el("details", {}, el("summary", {}, "More settings"), rest);
  const node = el("div", {}, first, more);

  /** @param {readonly Checked[]} all */
  const build = (all) => {
    for (const checked of all) {
      const { name } = checked.definition;
      const isFixed = isReadOnly || (isStored && name === "name");
      const field = fieldOf(checked, { isReadOnly: isFixed, isStored: isStored && !isReadOnly, onInput });
      fields.set(name, field);
      (field.isFirst ? first : rest).append(field.node);
    }
  };

  return {
    node,
    /**
     * Shows the values and errors. Returns the errors of settings that have no field.
     * @param {readonly Checked[]} all
     * @param {Config} config
     */
    update: (all, config) => {
      const isNew = fields.size === 0;
      if (isNew) build(all);
      for (const checked of all) fields.get(checked.definition.name)?.update(checked, config);
      const isUsed = [...fields.values()].some(
        ({ name, isFirst }) => !isFirst && name !== "connector.class" && config[name] !== undefined,
      );
      if (isNew && isUsed) more.open = true;
      return all.filter(({ definition: { name } }) => !fields.has(name)).flatMap(({ value }) => value.errors);
    },
    touchAll: () => {
      for (const { touch } of fields.values()) touch();
    },
    shownErrors: () => [...fields.values()].filter(({ isInvalid }) => isInvalid()).length,
    focusInvalid: () => {
      const invalid = [...fields.values()].filter(({ isInvalid }) => isInvalid());
      const [field] = [...invalid.filter(({ isFirst }) => isFirst), ...invalid];
      if (field !== undefined && !field.isFirst) more.open = true;
      field?.control.focus();
    },
  };
};

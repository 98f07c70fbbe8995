/** Creates elements. All content is inserted as text, so that an event can't inject markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>} Attributes */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
const setAll = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, String(value));
  }
};

/** @param {readonly Child[]} children */
const shown = (children) =>
  children.flatMap((child) =>
    child === null || child === undefined || child === false
      ? []
      : [typeof child === "number" ? String(child) : child],
  );

/**
 * A function as the value of an attribute becomes a listener of the event with that name.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export const el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  setAll(element, attributes);
  element.append(...shown(children));
  return element;
};

/**
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 */
export const svg = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, tag);
  setAll(element, attributes);
  element.append(...shown(children));
  return element;
};

/**
 * Sets the text only if it changes. Otherwise a screen reader would read the same text again, and a selection would be lost.
 * @param {Element} element
 * @param {string | number} text
 */
export const say = (element, text) => {
  if (element.textContent !== String(text)) element.textContent = String(text);
};

/**
 * A table with a name for screen readers.
 * @param {string} caption
 * @param {readonly Child[]} heads
 * @param {readonly (readonly Child[])[]} rows the first cell of each is its name
 */
export const table = (caption, heads, rows) =>
  el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
      el(
        "tbody",
        {},
        ...rows.map(([name, ...cells]) =>
          el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell))),
        ),
      ),
    ),
  );

/**
 * A list of names and values.
 * @param {readonly (readonly [string, Child])[]} pairs
 */
export const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );

let ids = 0;

/**
 * A form control with its label.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export const field = (label, control, hint) => {
  ids += 1;
  control.id = `field-${ids}`;
  if (hint !== undefined) control.setAttribute("aria-describedby", `hint-${ids}`);
  return el(
    "div",
    { class: "field" },
    el("label", { for: control.id }, label),
    control,
    hint !== undefined && el("p", { class: "hint", id: `hint-${ids}` }, hint),
  );
};

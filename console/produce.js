/** A form that stores one test event. */
import { isCertain, send, wordsOf } from "./api.js";
import { el, field } from "./dom.js";

const TYPES = ["application/json", "text/plain", "application/x-protobuf", "application/cloudevents+json"];

/**
 * Lines of `name: value`.
 * @param {string} text
 */
const headersOf = (text) =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => {
        const colon = line.indexOf(":");
        return colon < 0 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
      }),
  );

/** @param {string} station */
export const producePanel = (station) => {
  const type = el("select", {}, ...TYPES.map((name) => el("option", {}, name)));
  const key = el("input", { autocomplete: "off" });
  const headers = el("textarea", { rows: 2, spellcheck: "false", placeholder: "x-request-id: 1" });
  const value = el("textarea", { rows: 5, required: true, spellcheck: "false" });
  const base64 = el("input", { type: "checkbox" });
  const answer = el("p", { role: "status", class: "answer" });
  const button = el("button", { class: "primary" }, "Produce");

  const submit = async () => {
    button.disabled = true;
    answer.className = "answer";
    answer.replaceChildren("Storing…");
    try {
      const stored = await send("POST", `/stations/${encodeURIComponent(station)}/events`, {
        value: value.value,
        encoding: base64.checked ? "base64" : "utf-8",
        contentType: type.value,
        headers: headersOf(headers.value),
        ...(key.value !== "" && { key: key.value }),
      });
      const { status, partition, offset } = await stored.json();
      if (partition === undefined || offset === undefined)
        throw new TypeError("The response is not the gateway's");
      answer.className = "answer good";
      answer.replaceChildren(
        `${status === "duplicate" ? "Already stored" : "Stored"} in partition ${partition} at offset ${offset}.`,
      );
    } catch (error) {
      answer.className = "answer bad";
      answer.replaceChildren(`${isCertain(error) ? "Not stored" : "Possibly not stored"}: ${wordsOf(error)}`);
    }
    button.disabled = false;
  };

  const form = el(
    "form",
    {
      submit: (event) => {
        event.preventDefault();
        void submit();
      },
    },
    field("Event", value),
    el("div", { class: "check" }, base64, el("label", { for: "base64" }, "The event is base64")),
    field("Content type", type),
    field("Key", key, "Empty: the station’s own key rule applies."),
    field("Headers", headers, "One per line: x-*, ce-*, traceparent."),
    button,
    answer,
  );
  base64.id = "base64";
  return el(
    "section",
    { class: "panel", "aria-label": "Produce a test event" },
    el("h2", {}, "Produce a test event"),
    form,
  );
};

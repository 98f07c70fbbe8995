/**
 * Additional sources of the event service's settings: a settings file of the Anchor Platform, and a list of clients that
 * can be text or a separate file.
 */
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { Fault } from "./faults.ts";
import { type FileReader, isReadableFile, readSettingsFile } from "./files.ts";
import { isObject, overlay, replaced, type Path } from "./tree.ts";

/** A tree of settings, and the directory that its relative paths start from. */
export interface Source {
  readonly tree: unknown;
  readonly base: string;
}

export const ANCHOR_FILE: Path = ["eventService", "file"];
const CLIENTS_TYPE: Path = ["eventService", "clients", "type"];
const CLIENTS: Path = ["eventService", "clients", "value"];

const GROUPS = ["events", "event_processor", "callback_api", "clients", "sep6", "sep24", "secret"];
/** Of these sections only the key `more_info_url` concerns events. */
const SEP_SECTIONS = ["sep6", "sep24"];
const MORE_INFO = "more_info_url";
/** Sections of the other queues. The address of an MSK cluster is in the section kafka here. */
const OTHER_QUEUES = ["sqs", "msk"];
const MSK_ADDRESS = "bootstrap_server";

const at = (tree: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, step) => (isObject(value) ? value[String(step)] : undefined), tree);

/** Expands `a.b: 1` to `a: { b: 1 }`, as Spring does. */
const expanded = (tree: unknown): unknown => {
  if (!isObject(tree)) return tree;
  return Object.entries(tree).reduce<unknown>(
    (whole, [name, value]) => overlay(whole, replaced({}, name.split("."), expanded(value))),
    {},
  );
};

const without = (tree: unknown, names: readonly string[]): unknown =>
  isObject(tree) ? Object.fromEntries(Object.entries(tree).filter(([name]) => !names.includes(name))) : tree;

const moreInfoOf = (group: unknown): unknown =>
  isObject(group) && MORE_INFO in group ? { [MORE_INFO]: group[MORE_INFO] } : {};

const queueOf = (queue: unknown): unknown => {
  const address = at(queue, ["type"]) === "msk" ? at(queue, ["msk", MSK_ADDRESS]) : undefined;
  const rest = without(queue, OTHER_QUEUES);
  return address === undefined ? rest : replaced(rest, ["kafka", MSK_ADDRESS], address);
};

/** The settings of an Anchor Platform's file that concern events. */
const fromAnchorPlatform = (tree: unknown): unknown => {
  const all = expanded(tree);
  const groups = Object.entries(isObject(all) ? all : {})
    .filter(([name]) => GROUPS.includes(name))
    .map(([name, group]) => [name, SEP_SECTIONS.includes(name) ? moreInfoOf(group) : group] as const);
  const eventService = Object.fromEntries(groups);
  const queue = at(eventService, ["events", "queue"]);
  return {
    eventService:
      queue === undefined ? eventService : replaced(eventService, ["events", "queue"], queueOf(queue)),
  };
};

/** Reads the Anchor Platform's file that the last source names. An unreadable file has no faults here: `unreadableFiles` reports it. */
export const anchorPlatformFile = (
  sources: readonly Source[],
  reader: FileReader,
): Source & { readonly faults: readonly Fault[] } => {
  const named = sources.findLast(({ tree }) => typeof at(tree, ANCHOR_FILE) === "string");
  if (named === undefined) return { tree: {}, base: "", faults: [] };
  const path = resolve(named.base, String(at(named.tree, ANCHOR_FILE)));
  if (!isReadableFile(path)) return { tree: {}, base: "", faults: [] };
  const { tree, faults } = readSettingsFile(path, "eventService.file", reader);
  return { tree: fromAnchorPlatform(tree), base: dirname(path), faults };
};

/** A fault for each secret that is written directly in a settings file. */
export const writtenSecrets = (tree: unknown): readonly Fault[] => {
  const find = (value: unknown, path: Path): readonly Fault[] => {
    if (isObject(value))
      return Object.entries(value).flatMap(([name, inner]) => find(inner, [...path, name]));
    if (String(path.at(-1)).endsWith("File")) return [];
    const variable = path.slice(1).join("_").toUpperCase();
    return [
      {
        path,
        text: `is written in a settings file, allowed: ${variable} in the environment, or ${String(path.at(-1))}File`,
      },
    ];
  };
  const given = at(tree, ["eventService", "secret"]);
  return given === undefined ? [] : find(given, ["eventService", "secret"]);
};

const listIn = (value: unknown): unknown => (isObject(value) && "items" in value ? value["items"] : value);

const readList = (
  type: unknown,
  text: string,
  reader: FileReader,
): { readonly list: unknown } | { readonly fault: string } => {
  let content = text;
  try {
    if (type === "file") content = reader.text(text);
  } catch {
    return { fault: `got ${JSON.stringify(text)}, which is not a readable file` };
  }
  try {
    return { list: listIn(parse(content)) };
  } catch {
    return { fault: `got a string that is not valid ${type === "json" ? "JSON" : "YAML"}` };
  }
};

/** Merges the trees of the sources, of which later ones take precedence, and reads the list of clients. */
export const joined = (
  sources: readonly Source[],
  reader: FileReader,
): { readonly tree: unknown; readonly faults: readonly Fault[] } => {
  const tree = sources.reduce<unknown>((under, { tree: over }) => overlay(under, over), {});
  const source = sources.findLast((one) => at(one.tree, CLIENTS) !== undefined);
  if (source === undefined) return { tree, faults: [] };
  const type = at(tree, CLIENTS_TYPE);
  const given = at(source.tree, CLIENTS);
  if (typeof given !== "string") return { tree: replaced(tree, CLIENTS, listIn(given)), faults: [] };
  const read = readList(type, type === "file" ? resolve(source.base, given) : given, reader);
  return "list" in read
    ? { tree: replaced(tree, CLIENTS, read.list), faults: [] }
    : { tree: replaced(tree, CLIENTS, undefined), faults: [{ path: CLIENTS, text: read.fault }] };
};

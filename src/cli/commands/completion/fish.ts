/** Completion in fish, with the descriptions of the help. */
import type { Option } from "commander";
import { optionsWithValue, pathsOf, takesFile, type CompletionPoint } from "./words.ts";

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const list = (words: readonly string[]): string => words.map(quoted).join(" ");

const condition = (path: string): string => `-n ${quoted(`__stationgate_at ${quoted(path)}`)}`;

const optionLine = (path: string, option: Option): string =>
  [
    `complete -c stationgate ${condition(path)}`,
    ...(option.short === undefined ? [] : [`-s ${option.short.slice(1)}`]),
    `-l ${option.long?.slice(2) ?? ""}`,
    ...(option.required ? [takesFile(option) ? "-r -F" : "-x"] : []),
    ...(option.argChoices === undefined ? [] : [`-a ${quoted(option.argChoices.join(" "))}`]),
    `-d ${quoted(option.description)}`,
  ].join(" ");

const pointLines = (point: CompletionPoint): readonly string[] => [
  ...point.commands.map(
    ({ name, description }) =>
      `complete -c stationgate ${condition(point.path)} -a ${name} -d ${quoted(description)}`,
  ),
  ...point.arguments.map((word) => `complete -c stationgate ${condition(point.path)} -a ${word}`),
  ...(point.takesFile ? [`complete -c stationgate ${condition(point.path)} -F`] : []),
  ...point.options.map((option) => optionLine(point.path, option)),
];

/** The script follows command words only; it skips names and values of options. */
export const fishCompletion = (points: readonly CompletionPoint[]): string =>
  [
    "# fish completion of stationgate: put it in ~/.config/fish/completions/stationgate.fish.",
    "function __stationgate_at",
    "  set -l point ''",
    "  set -l before ''",
    "  for word in (commandline -opc)[2..-1]",
    '    set -l next (string trim "$point $word")',
    `    if contains -- "$next" ${list(pathsOf(points))}`,
    `      and not contains -- "$before" ${list(optionsWithValue(points).map(({ flag }) => flag))}`,
    '      set point "$next"',
    "    end",
    '    set before "$word"',
    "  end",
    '  test "$point" = "$argv[1]"',
    "end",
    "complete -c stationgate -f",
    ...points.flatMap(pointLines),
  ].join("\n");

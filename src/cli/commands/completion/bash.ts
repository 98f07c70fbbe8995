/** Completion in bash. */
import { optionsWithValue, pathsOf, type OptionWithValue, type CompletionPoint } from "./words.ts";

const flagsOf = ({ options }: CompletionPoint): readonly string[] =>
  options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined);

const caseOf = (point: CompletionPoint): string => {
  const words = [...point.commands.map(({ name }) => name), ...point.arguments, ...flagsOf(point)];
  return `    "${point.path}") words="${words.join(" ")}"; files=${point.takesFile ? 1 : 0} ;;`;
};

const valueCase = ({ flag, choices, takesFile }: OptionWithValue): string => {
  const answer = choices
    ? `COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$cur"))`
    : takesFile
      ? "_stationgate_files"
      : ":";
  return `    ${flag}) ${answer}; return ;;`;
};

export const bashCompletion = (points: readonly CompletionPoint[]): string =>
  [
    "# bash completion of stationgate: source it, or put it in /etc/bash_completion.d/.",
    "# A name may have spaces.",
    "_stationgate_files() {",
    "  local IFS=$'\\n'",
    '  COMPREPLY+=($(compgen -f -- "$cur"))',
    "}",
    "_stationgate() {",
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="" point="" words="" files=0 at word next',
    '  [ "$COMP_CWORD" -gt 0 ] && prev="${COMP_WORDS[COMP_CWORD-1]}"',
    "  COMPREPLY=()",
    '  case "$prev" in',
    ...optionsWithValue(points).map(valueCase),
    "  esac",
    "  at=1",
    '  while [ "$at" -lt "$COMP_CWORD" ]; do',
    '    word="${COMP_WORDS[at]}"',
    '    case "$word" in',
    `      ${optionsWithValue(points)
      .map(({ flag }) => flag)
      .join("|")}) at=$((at + 1)) ;;`,
    "      -*) ;;",
    '      *) next="${point:+$point }$word"',
    `        case "$next" in ${pathsOf(points)
      .map((path) => `"${path}"`)
      .join("|")}) point="$next" ;; esac ;;`,
    "    esac",
    "    at=$((at + 1))",
    "  done",
    '  case "$point" in',
    ...points.map(caseOf),
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    '  [ "$files" = 1 ] && case "$cur" in -*) ;; *) _stationgate_files ;; esac',
    "  return 0",
    "}",
    "complete -o filenames -F _stationgate stationgate",
  ].join("\n");

/** Completion in bash, and in zsh, which understands bash's. */
import type { Place } from "./words.ts";
import { takesFile } from "./words.ts";

const flagsOf = ({ options }: Place): readonly string[] =>
  options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined);

const caseOf = (place: Place): string => {
  const words = [...place.commands.map(({ name }) => name), ...place.arguments, ...flagsOf(place)];
  return `    "${place.path}") words="${words.join(" ")}"; files=${place.takesFile ? 1 : 0} ;;`;
};

/** Of all places together: an option means the same wherever it stands. */
const valuesOf = (places: readonly Place[]): readonly string[] => {
  const options = new Map(places.flatMap(({ options: own }) => own.map((option) => [option.long, option])));
  return [...options.values()]
    .filter(({ required, optional }) => required || optional)
    .map((option) => {
      const { argChoices, long } = option;
      const answer = argChoices
        ? `COMPREPLY=($(compgen -W "${argChoices.join(" ")}" -- "$cur"))`
        : takesFile(option)
          ? `COMPREPLY=($(compgen -f -- "$cur"))`
          : "COMPREPLY=()";
      return `    ${long ?? ""}) ${answer}; return ;;`;
    });
};

const withValue = (places: readonly Place[]): string =>
  [
    ...new Set(
      places.flatMap(({ options }) =>
        options.filter(({ required }) => required).map(({ long }) => long ?? ""),
      ),
    ),
  ].join("|");

const PATH_WORDS = (places: readonly Place[]): string =>
  places
    .filter(({ path }) => path !== "")
    .map(({ path }) => `"${path}"`)
    .join("|");

export const bashCompletion = (places: readonly Place[]): string =>
  [
    "# bash completion of stationgate: source it, or put it in /etc/bash_completion.d/.",
    "_stationgate() {",
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="" place="" words="" files=0 at word next',
    '  [ "$COMP_CWORD" -gt 0 ] && prev="${COMP_WORDS[COMP_CWORD-1]}"',
    "  COMPREPLY=()",
    '  case "$prev" in',
    ...valuesOf(places),
    "  esac",
    "  at=1",
    '  while [ "$at" -lt "$COMP_CWORD" ]; do',
    '    word="${COMP_WORDS[at]}"',
    '    case "$word" in',
    `      ${withValue(places)}) at=$((at + 1)) ;;`,
    "      -*) ;;",
    '      *) next="${place:+$place }$word"',
    `        case "$next" in ${PATH_WORDS(places)}) place="$next" ;; esac ;;`,
    "    esac",
    "    at=$((at + 1))",
    "  done",
    '  case "$place" in',
    ...places.map(caseOf),
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    '  [ "$files" = 1 ] && case "$cur" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$cur")) ;; esac',
    "  return 0",
    "}",
    "complete -o filenames -F _stationgate stationgate",
  ].join("\n");

export const zshCompletion = (places: readonly Place[]): string =>
  [
    "# zsh completion of stationgate: source it after compinit. It is bash's, which zsh can run.",
    "autoload -U +X bashcompinit && bashcompinit",
    bashCompletion(places).split("\n").slice(1).join("\n"),
  ].join("\n");

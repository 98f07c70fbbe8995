/** Completion in zsh, with the descriptions of the help. */
import type { Option } from "commander";
import { optionsWithValue, pathsOf, type OptionWithValue, type CompletionPoint } from "./words.ts";

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const described = (name: string, description: string): string => quoted(`${name}:${description}`);

const flagsOf = ({ short, long, description }: Option): readonly string[] =>
  [short, long].flatMap((flag) => (flag === undefined ? [] : [described(flag, description)]));

const pointOf = (point: CompletionPoint): string => {
  const commands = point.commands.map(({ name, description }) => described(name, description));
  const words = [...commands, ...point.arguments].join(" ");
  const options = point.options.flatMap(flagsOf).join(" ");
  return `    ${quoted(point.path)}) following=(${words}); options=(${options}); files=${point.takesFile ? 1 : 0} ;;`;
};

const valueCase = ({ flag, choices, takesFile }: OptionWithValue): string => {
  const answer = choices ? `compadd -- ${choices.join(" ")}` : takesFile ? "_files" : ":";
  return `    ${flag}) ${answer}; return ;;`;
};

export const zshCompletion = (points: readonly CompletionPoint[]): string =>
  [
    "# zsh completion of stationgate: source it after compinit.",
    "_stationgate() {",
    "  local point='' before='' word next files=0",
    "  local -a following options",
    '  for word in "${(@)words[2,CURRENT-1]}"; do',
    '    next="${point:+$point }$word"',
    '    case "$before" in',
    `      ${optionsWithValue(points)
      .map(({ flag }) => flag)
      .join("|")}) ;;`,
    `      *) case "$next" in ${pathsOf(points).map(quoted).join("|")}) point="$next" ;; esac ;;`,
    "    esac",
    '    before="$word"',
    "  done",
    '  case "$before" in',
    ...optionsWithValue(points).map(valueCase),
    "  esac",
    '  case "$point" in',
    ...points.map(pointOf),
    "  esac",
    '  if [[ "$PREFIX" = -* ]]; then',
    "    _describe -o option options",
    "  else",
    "    _describe word following",
    '    [ "$files" = 1 ] && _files',
    "  fi",
    "}",
    "compdef _stationgate stationgate",
  ].join("\n");

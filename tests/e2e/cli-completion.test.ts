/** `stationgate completion` in bash, zsh and fish. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { makeCliDirectory, runCli, type CliDirectory } from "../support/cli.ts";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);

let folder: CliDirectory;

/** The shell's output for each line. `program` gets the path of the script and the lines as arguments. */
const completed = async (
  [shell, ...program]: readonly [string, ...string[]],
  typed: readonly string[],
): Promise<readonly string[]> => {
  const script = await folder.file(`completion.${shell}`, (await runCli(["completion", shell])).stdout);
  const { stdout } = await run(shell, [...program, script, ...typed], {
    cwd: folder.directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder.directory, TERM: "dumb" },
    timeout: 30_000,
  });
  return stdout.split("\n").slice(0, -1);
};

beforeEach(async () => {
  folder = await makeCliDirectory();
  await folder.file("an event.json", "{}");
});

afterEach(() => folder[Symbol.asyncDispose]());

describe("completion in bash", () => {
  const PROGRAM = `
    source "$1"
    for line in "\${@:2}"; do
      read -r -a COMP_WORDS <<<"$line"
      [ "\${line% }" = "$line" ] || COMP_WORDS+=("")
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      COMPREPLY=()
      _stationgate
      (IFS='|'; echo "\${COMPREPLY[*]}")
    done`;

  it("completes commands, options, their values and files", async () => {
    const [top, connectors, shells, position, listen, file, value] = await completed(
      ["bash", "-c", PROGRAM, "bash"],
      [
        "stationgate pro",
        "stationgate connectors re",
        "stationgate --url http://x completion ",
        "stationgate tail clicks --from e",
        "stationgate listen clicks --fi",
        "stationgate connectors apply an",
        "stationgate --username tail pro",
      ],
    );
    expect(top).toBe("produce");
    expect(connectors).toBe("resume|restart|replay");
    expect(shells).toMatch(/^bash\|zsh\|fish\|/);
    expect(position).toBe("earliest");
    expect(listen).toBe("--filter");
    expect(file).toBe("an event.json");
    expect(value).toBe("produce");
  });
});

describeWithTools("completion in zsh", ["zsh"], () => {
  /** An interactive zsh in which Tab prints the completed line. */
  const PROGRAM = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell 'PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit && compinit -u -D; source '\${(q)1}
    zpty -w shell 'tab() { zle complete-word; print -r -- "<$BUFFER>"; BUFFER= }; zle -N tab; bindkey "^I" tab; echo REA""DY'
    zpty -r shell said '*READY*'
    for line in "\${@:2}"; do
      zpty -w -n shell "$line"$'\\t'
      zpty -r shell said '*<*>*'
      print -r -- "\${\${said##*<}%%>*}"
    done
    zpty -d shell`;

  it("completes the typed line", async () => {
    expect(
      await completed(
        ["zsh", "-f", "-c", PROGRAM, "zsh"],
        [
          "stationgate pro",
          "stationgate connectors re",
          "stationgate connectors repl",
          "stationgate --url http://x completion z",
          "stationgate tail clicks --from e",
          "stationgate li",
          "stationgate listen clicks --to http://x --from l",
          "stationgate start --conf",
          "stationgate connectors apply an",
          "stationgate --username tail pro",
        ],
      ),
    ).toEqual([
      "stationgate produce ",
      "stationgate connectors re",
      "stationgate connectors replay ",
      "stationgate --url http://x completion zsh ",
      "stationgate tail clicks --from earliest ",
      "stationgate listen ",
      "stationgate listen clicks --to http://x --from latest ",
      "stationgate start --config ",
      "stationgate connectors apply an\\ event.json ",
      "stationgate --username tail produce ",
    ]);
  });
});

describeWithTools("completion in fish", ["fish"], () => {
  const PROGRAM = `
    source $argv[1]
    for line in $argv[2..-1]
      complete -C $line | string replace -r '\\t.*' '' | string join '|'
    end
    true`;

  it("completes commands, options, their values and files", async () => {
    expect(
      await completed(
        ["fish", "-c", PROGRAM],
        [
          "stationgate pro",
          "stationgate connectors re",
          "stationgate --url http://x completion ",
          "stationgate tail clicks --from e",
          "stationgate tail clicks --from=e",
          "stationgate li",
          "stationgate listen clicks --to http://x --from l",
          "stationgate start --conf",
          "stationgate connectors apply an",
          "stationgate --username tail pro",
        ],
      ),
    ).toEqual([
      "produce",
      "replay|restart|resume",
      "bash|fish|zsh",
      "earliest",
      "--from=earliest",
      "listen",
      "latest",
      "--config",
      "an event.json",
      "produce",
    ]);
  });

  it("shows the descriptions of the help", async () => {
    const [line] = await completed(["fish", "-c", "source $argv[1]; complete -C 'stationgate hash'"], []);
    expect(line).toMatch(/^hash-secret\tPrint the scrypt hash/);
  });
});

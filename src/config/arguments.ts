/** Parses the command line of the server process (`node dist/main.js`). */
import { parseArgs } from "node:util";
import { GatewayError } from "../errors.ts";
import { unknownName } from "./faults.ts";

const OPTIONS = {
  config: { type: "string" },
  "check-config": { type: "boolean" },
  "print-config": { type: "boolean" },
  "print-env-example": { type: "boolean" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export const HELP = `Usage: node dist/main.js [--config stationgate.yaml]

  --config <file>      settings file (default: STATIONGATE_CONFIG; without it defaults and environment)
  --check-config       check the settings and exit
  --print-config       print the effective settings with masked secrets and exit
  --print-env-example  print all environment variables with their defaults and exit
  --version            print the version and exit
  -h, --help           print this help and exit
`;

type Command = "serve" | "check-config" | "print-config" | "print-env-example" | "version" | "help";

export interface Arguments {
  readonly command: Command;
  readonly configFile: string | undefined;
}

const COMMANDS = ["help", "version", "print-env-example", "print-config", "check-config"] as const;

const faultOf = (argv: readonly string[]): string | undefined => {
  const { tokens } = parseArgs({ args: [...argv], options: OPTIONS, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") return `${token.value}: unexpected argument, see --help`;
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(OPTIONS, token.name)) {
      return `${token.rawName} ${unknownName(token.name, Object.keys(OPTIONS))}`;
    }
    if ((token.name === "config") !== (token.value !== undefined && token.value !== "")) {
      return `${token.rawName}: ${token.name === "config" ? "needs the path of a file" : "takes no value"}`;
    }
  }
  return undefined;
};

/** Parses the arguments after the script's name. Throws SETTINGS_INVALID with one line for the first invalid argument. */
export const parseArguments = (argv: readonly string[]): Arguments => {
  const fault = faultOf(argv);
  if (fault !== undefined) throw new GatewayError("SETTINGS_INVALID", { message: fault });
  const { values } = parseArgs({ args: [...argv], options: OPTIONS });
  return {
    command: COMMANDS.find((command) => values[command] === true) ?? "serve",
    configFile: values.config,
  };
};

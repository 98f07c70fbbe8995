/** The program with all commands and global options. */
import { Command } from "commander";
import { VERSION } from "../config/version.ts";
import { addCheckConfig } from "./commands/check-config.ts";
import { addCompletion } from "./commands/completion/completion.ts";
import { addConnectors } from "./commands/connectors/connectors.ts";
import { addHashSecret } from "./commands/hash-secret.ts";
import { addListen } from "./commands/listen/listen.ts";
import { addProduce } from "./commands/produce/produce.ts";
import { addSpool } from "./commands/spool.ts";
import { addStart } from "./commands/start.ts";
import { addTail } from "./commands/tail/tail.ts";
import { addToken } from "./commands/token.ts";
import { DEFAULT_ADMIN_URL, DEFAULT_URL } from "./connection.ts";
import type { Context } from "./define-command.ts";
import { EXITS } from "./shell.ts";

const ENVIRONMENT = `
Credentials can also come from the environment, as a value or as the path of a file (NAME_FILE):
  STATIONGATE_TOKEN, STATIONGATE_API_KEY, STATIONGATE_USERNAME with STATIONGATE_CONNECTION_TOKEN
  or STATIONGATE_PASSWORD, and STATIONGATE_ADMIN_TOKEN for connectors. Without one of these the credential is
  the client certificate (--cert), or else the identity in ./data, which a gateway generates at its first
  start; it is only sent to this machine.`;

const exitCodes = (): string =>
  [
    "",
    "Exit codes:",
    ...Object.values(EXITS).map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`),
  ].join("\n");

const addGlobalOptions = (program: Command): Command =>
  program
    .option("--json", "print JSON: one document, or one document per line for streams")
    .optionsGroup("Gateway:")
    .option("--url <url>", `URL of the gateway (default: STATIONGATE_URL, then ${DEFAULT_URL})`)
    .option(
      "--admin-url <url>",
      `URL of the operators' listener (default: STATIONGATE_ADMIN_URL, then ${DEFAULT_ADMIN_URL})`,
    )
    .option(
      "--ca <file>",
      "CA of the gateway's certificate (PEM), instead of the system's CAs (default: STATIONGATE_CA)",
    )
    .optionsGroup("Credentials:")
    .option("--username <name>", "account for sign-in; its secret comes from a file or a prompt")
    .option("--connection-token-file <file>", "file with the account's connection token")
    .option("--password-file <file>", "file with the account's password")
    .option("--token-file <file>", "file with an access token, instead of an account")
    .option("--api-key-file <file>", "file with an API key, instead of an account")
    .option("--admin-token-file <file>", "file with the operators' token, for connectors")
    .option(
      "--cert <file>",
      "client certificate (PEM); a credential if no other one is given (default: STATIONGATE_CERT)",
    )
    .option("--key <file>", "its private key (default: STATIONGATE_KEY, then the file of the certificate)");

/** Builds the program. It throws commander's errors instead of ending the process. */
export const createProgram = (context: Context): Command => {
  const { shell } = context;
  const program = new Command("stationgate")
    .description("Runs a Stationgate gateway, and talks to one: events in, events out, connectors.")
    .version(VERSION, "--version", "print the version")
    .helpCommand("help [command]", "print the help of a command")
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void shell.out(text.trimEnd()),
      writeErr: (text) => {
        shell.note(text.trimEnd());
      },
    });
  addGlobalOptions(program).addHelpText("after", ENVIRONMENT + "\n" + exitCodes());
  for (const add of [
    addStart,
    addProduce,
    addTail,
    addListen,
    addToken,
    addConnectors,
    addSpool,
    addCheckConfig,
    addHashSecret,
    addCompletion,
  ])
    add(program, context);
  return program;
};

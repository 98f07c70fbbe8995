/** `stationgate token`: prints an access token with all permissions of an account, or with a scope. */
import { Option, type Command } from "commander";
import { accountConnection, refreshConnection } from "../connection.ts";
import { demand, openClient, pairShape, parsedAnswer, signIn } from "../client.ts";
import {
  collect,
  type Context,
  duration,
  actionOf,
  type GlobalOptions,
  withExamples,
} from "../define-command.ts";
import type { Shell } from "../shell.ts";

interface Options extends GlobalOptions {
  readonly ttl?: number;
  readonly refreshTtl?: number;
  readonly refresh?: boolean;
  readonly refreshTokenFile?: string;
  readonly station?: readonly string[];
  readonly action?: readonly string[];
  readonly origin?: readonly string[];
}

const MINUTE = 60_000;

/** The API takes minutes. Shorter times are rounded up. */
const minutes = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.ceil(ms / MINUTE);

const lifetimes = ({ ttl, refreshTtl }: Options): Readonly<Record<string, number | undefined>> => ({
  token_expiry_in_minutes: minutes(ttl),
  refresh_token_expiry_in_minutes: minutes(refreshTtl),
});

const scopeOf = ({ station: stations, action: actions, origin: origins }: Options): object | undefined =>
  (stations ?? actions ?? origins) && { stations, actions, origins };

const refreshed = async (shell: Shell, options: Options) => {
  const { refreshToken, ...target } = refreshConnection(shell, options);
  const body = { jwt_refresh_token: refreshToken, ...lifetimes(options) };
  return parsedAnswer(
    pairShape,
    await demand(openClient(target), { method: "POST", path: "/auth/refreshToken", body }),
  );
};

const signedIn = async (shell: Shell, options: Options, withRefresh: boolean) =>
  signIn(await accountConnection(shell, options), {
    refresh: withRefresh,
    scope: scopeOf(options),
    ...lifetimes(options),
  });

export const addToken = (program: Command, context: Context): void => {
  const { shell } = context;
  const command = program
    .command("token")
    .description(
      "Print an access token of an account. With --json it prints the complete answer of the gateway.",
    )
    .option("--ttl <duration>", "lifetime of the token, rounded up to minutes", duration)
    .option("--station <pattern>", "limit the token to these stations (repeatable)", collect)
    .addOption(
      new Option("--action <action...>", "limit the token to producing or to consuming").choices([
        "produce",
        "consume",
      ]),
    )
    .option("--origin <origin>", "limit the token to pages of this origin (repeatable)", collect)
    .addOption(
      new Option(
        "--refresh",
        "use a refresh token (STATIONGATE_REFRESH_TOKEN) instead of an account; the new token has the same scope",
      ).conflicts(["station", "action", "origin"]),
    )
    .option("--refresh-token-file <file>", "file with the refresh token, for --refresh")
    .option("--refresh-ttl <duration>", "lifetime of the new refresh token, rounded up to minutes", duration)
    .action(
      actionOf(context, async (_args, options: Options) => {
        const { json = false } = options;
        const pair = await (options.refresh === true
          ? refreshed(shell, options)
          : signedIn(shell, options, json));
        await shell.out(json ? JSON.stringify(pair) : pair.jwt);
        return "ok";
      }),
    );
  withExamples(command, [
    ["on the machine of the gateway", "TOKEN=$(stationgate token)"],
    [
      "for a page that only sends clicks",
      "stationgate token --username root --station 'clicks-*' --action produce --ttl 15m",
    ],
    ["a new pair for a refresh token", "stationgate token --refresh --refresh-token-file refresh.jwt --json"],
  ]);
};

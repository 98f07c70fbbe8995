/** The text of a first start without settings: three commands that can be pasted into a shell. */

interface Newcomer {
  readonly username: string;
  readonly connectionToken: string;
}

/** Each command signs in by itself, so that it also works after the first token has expired. */
export const welcome = (port: number, { username, connectionToken }: Newcomer): string => {
  const base = `http://127.0.0.1:${port}`;
  const json = `-H 'content-type: application/json'`;
  const credentials = JSON.stringify({ username, connection_token: connectionToken });
  const signIn = `curl -s ${base}/auth/authenticate ${json} -d '${credentials}'`;
  const bearer = `-H "authorization: Bearer $(${signIn} | sed 's/.*"jwt":"\\([^"]*\\)".*/\\1/')"`;
  const station = `${base}/stations/demo`;
  const consume = JSON.stringify({ consumer_name: "me", batch_max_wait_time_ms: 1000 });
  return [
    "",
    "Stationgate is ready. Sign in, produce an event, read it back:",
    "",
    signIn,
    `curl -s ${station}/produce/single ${json} ${bearer} -d '{"hello":"world"}'`,
    `curl -s ${station}/consume/batch ${json} ${bearer} -d '${consume}'`,
    "",
  ].join("\n");
};

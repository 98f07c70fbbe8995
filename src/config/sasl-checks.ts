/** Rules of `broker.kafka.sasl`: which keys belong to a mechanism, and which of them it needs. */
import type { Fault } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";

type Sasl = NonNullable<Settings["broker"]["kafka"]["sasl"]>;
type Key = Exclude<keyof Sasl, "mechanism">;

interface Form {
  readonly needed: readonly Key[];
  readonly optional: readonly Key[];
  /** For messages. */
  readonly name: string;
}

const PASSWORD: readonly Key[] = ["username", "password"];
const ENDPOINT: readonly Key[] = ["tokenEndpoint", "clientId", "clientSecret"];

const formOf = ({ mechanism, tokenFile }: Sasl): Form => {
  const name = `mechanism is ${mechanism}`;
  if (mechanism === "aws-msk-iam") return { name, needed: ["region"], optional: ["roleArn"] };
  if (mechanism !== "oauthbearer") return { name, needed: PASSWORD, optional: [] };
  return tokenFile === undefined
    ? { name: `${name} without tokenFile`, needed: ENDPOINT, optional: ["scope", "audience", "ca"] }
    : { name: `${name} with tokenFile`, needed: ["tokenFile"], optional: [] };
};

const at = (key: Key, text: string): Fault => ({ path: ["broker", "kafka", "sasl", key], text });

/** A mechanism without one of its keys, or with a key of another mechanism. */
export const saslFaults = ({ broker }: Partial<Pick<Settings, "broker">>): readonly Fault[] => {
  const sasl = broker?.kafka.sasl;
  if (sasl === undefined) return [];
  const { mechanism, ...given } = sasl;
  if (mechanism === "oauthbearer" && ["tokenFile", ...ENDPOINT].every((key) => !(key in given)))
    return [at("tokenFile", "got nothing, allowed: a path, or tokenEndpoint with clientId and clientSecret")];
  const { name, needed, optional } = formOf(sasl);
  const keys = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [key as Key]));
  return [
    ...needed
      .filter((key) => !keys.includes(key))
      .map((key) => at(key, `got nothing, allowed: a value if ${name}`)),
    ...keys
      .filter((key) => ![...needed, ...optional].includes(key))
      .map((key) => at(key, `is set, allowed: nothing if ${name}`)),
  ];
};

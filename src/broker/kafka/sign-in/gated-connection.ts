/**
 * A connection of @platformatic/kafka that signs in again before its session ends (KIP-368). The library renews sessions too,
 * but sends other requests between the handshake and the authentication, and then Kafka closes the connection. Its timer
 * also overflows if a session is longer than 24.8 days, and outlives the connection.
 */
import { Connection, saslPlain, saslScramSha } from "../client-library.ts";
import { systemClock } from "../../../lib/clock.ts";
import {
  exchangeToken,
  isSignInRequest,
  mechanismOf,
  RENEWED_AFTER,
  type SaslOptions,
  SignInFailure,
  tokenOf,
} from "./sasl.ts";

type LibraryOptions = NonNullable<ConstructorParameters<typeof Connection>[1]>;
type Authenticate = NonNullable<NonNullable<LibraryOptions["sasl"]>["authenticate"]>;
type Signed = Awaited<ReturnType<Parameters<Authenticate>[2]["async"]>>;
type RestOfSend<Answer> =
  Parameters<typeof Connection.prototype.send<Answer>> extends [number, ...infer Rest] ? Rest : never;

export type GatedOptions = Omit<LibraryOptions, "sasl"> & { readonly signIn: SaslOptions | undefined };

/** Milliseconds. Kafka refuses to renew a session twice in a second, so a shorter session is not renewed. */
const MIN_INTERVAL_MS = 1100;

const authenticate: Authenticate = (...[, connection, api, , , , callback]) => {
  if (!(connection instanceof GatedConnection)) throw new TypeError("the connection has no gate");
  connection.authenticate(api).then(
    (answer) => {
      // Without a lifetime the library starts no timer of its own.
      callback(null, { ...answer, sessionLifetimeMs: 0n });
    },
    (error: unknown) => {
      callback(error as Error, undefined);
    },
  );
};

/** One run of a renewal: requests wait from the moment it begins until it ends. */
interface Renewal {
  readonly held: (() => void)[];
  /** Called when the last request in flight has been answered. */
  drained: () => void;
}

export class GatedConnection extends Connection {
  readonly #signIn: SaslOptions | undefined;
  #token: string | undefined;
  #inFlight = 0;
  #renewal: Renewal | undefined;
  #cancel = (): void => undefined;
  #hasEnded = false;

  constructor(clientId: string, { signIn, ...options }: GatedOptions) {
    super(
      clientId,
      signIn === undefined ? options : { ...options, sasl: { mechanism: mechanismOf(signIn), authenticate } },
    );
    this.#signIn = signIn;
    this.on("sasl:authentication:extended", () => {
      this.#release();
    });
    this.on("error", () => {
      this.#release();
    });
    this.on("close", () => {
      this.#cancel();
      this.#release();
    });
  }

  /** Requests can be sent. During a renewal they wait until it ends. */
  get isUsable(): boolean {
    return !this.#hasEnded && !this.#isDestroyed() && (this.isConnected() || this.#renewal !== undefined);
  }

  /** True: a request that is sent now waits until the renewal ends. */
  get isRenewing(): boolean {
    return this.#renewal !== undefined;
  }

  /** As `connect`, with the token for the sign-in. Rejects with SignInFailure if there is no token; nothing is connected then. */
  async open(host: string, port: number): Promise<void> {
    this.#token = await tokenOf(this.#signIn);
    await this.connect(host, port);
  }

  override send<Answer>(
    apiKey: number,
    ...[version, payload, parser, hasRequestTags, hasAnswerTags, callback]: RestOfSend<Answer>
  ): void {
    if (isSignInRequest(apiKey)) {
      super.send(apiKey, version, payload, parser, hasRequestTags, hasAnswerTags, callback);
      return;
    }
    if (this.#renewal !== undefined) {
      this.#renewal.held.push(() => {
        this.send(apiKey, version, payload, parser, hasRequestTags, hasAnswerTags, callback);
      });
      return;
    }
    this.#inFlight += 1;
    let isOpen = true;
    super.send<Answer>(apiKey, version, payload, parser, hasRequestTags, hasAnswerTags, (error, answer) => {
      // The library reports a request a second time if it has timed out before the connection breaks.
      if (isOpen) this.#inFlight -= 1;
      isOpen = false;
      if (this.#inFlight === 0) this.#renewal?.drained();
      callback(error, answer);
    });
  }

  /** Waits for the requests in flight, and then signs in. Without a token, the connection is not usable any more. */
  override reauthenticate(): void {
    if (this.#renewal !== undefined || this.#hasEnded || this.#isDestroyed()) return;
    void this.#renew();
  }

  async #renew(): Promise<void> {
    try {
      this.#token = await tokenOf(this.#signIn);
    } catch {
      this.#hasEnded = true;
      return;
    }
    if (this.#isDestroyed()) return;
    const renewal: Renewal = { held: [], drained: () => undefined };
    this.#renewal = renewal;
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        renewal.drained = resolve;
      });
    if (this.#isDestroyed()) this.#release();
    else super.reauthenticate();
  }

  #isDestroyed(): boolean {
    return this.socket.destroyed;
  }

  #release(): void {
    const renewal = this.#renewal;
    this.#renewal = undefined;
    for (const send of renewal?.held ?? []) send();
  }

  /** Signs in, and starts the timer of the renewal. The library calls it after its handshake. */
  async authenticate(api: Parameters<Authenticate>[2]): Promise<Signed> {
    const answer = await this.#exchange(api);
    const lifetime = Number(answer.sessionLifetimeMs);
    this.#cancel();
    if (lifetime > 0) {
      const pause = lifetime * RENEWED_AFTER;
      this.#cancel = systemClock.after(pause, () => {
        if (pause < MIN_INTERVAL_MS) this.#hasEnded = true;
        else this.reauthenticate();
      });
    }
    return answer;
  }

  async #exchange(api: Parameters<Authenticate>[2]): Promise<Signed> {
    const signIn = this.#signIn;
    if (signIn === undefined) throw new SignInFailure("the connection has no credentials");
    if (signIn.mechanism === "oauthbearer")
      return exchangeToken(this.#token ?? "", (bytes) => api.async(this, bytes));
    const { username, password } = signIn;
    if (signIn.mechanism === "plain") return saslPlain.authenticate(api, this, username, password);
    const algorithm = signIn.mechanism === "scram-sha-256" ? "SHA-256" : "SHA-512";
    return saslScramSha.authenticate(api, this, algorithm, username, password, saslScramSha.defaultCrypto);
  }
}

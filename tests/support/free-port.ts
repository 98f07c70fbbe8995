import { once } from "node:events";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the ports that Linux gives to outgoing connections, one of which could otherwise take the port before its use. */
const [LOWEST, END] = [10_000, 32_000];
const TRIES = 100;

/** A port of loopback that is not in use now. */
export const freePort = async (): Promise<number> => {
  for (let tries = 1; ; tries += 1) {
    const port = randomInt(LOWEST, END);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch (error) {
      if (tries === TRIES) throw error;
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
};

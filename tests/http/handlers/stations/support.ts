/** A gateway for tests of the station routes, and requests of its account `root`. */
import request, { type Test } from "supertest";
import { createTestGateway, type TestGateway, type TestOptions } from "../../support.ts";

interface Stations {
  readonly gateway: TestGateway;
  /** Replaces the gateway by a gateway with other options. */
  start(options: TestOptions): Promise<void>;
  readonly post: (path: string, token?: string) => Test;
}

/** A new gateway for each test of the file. */
export const useStations = (): Stations => {
  let gateway: TestGateway;
  let rootToken: string;

  const start = async (options?: TestOptions): Promise<void> => {
    gateway = await createTestGateway(options);
    rootToken = await gateway.token();
  };

  beforeEach(() => start());
  afterEach(() => gateway.home.close());

  return {
    get gateway() {
      return gateway;
    },
    start: async (options) => {
      await gateway.home.close();
      await start(options);
    },
    post: (path, token = rootToken) =>
      request(gateway.app).post(path).set("Authorization", `Bearer ${token}`),
  };
};

/** Sends the bytes unchanged, also bytes that are not text. */
export const bytes = (test: Test, body: string | Buffer): Test =>
  test.serialize((given: unknown) => given as string).send(body as string);

export const json = (test: Test, body: string | Buffer): Test =>
  bytes(test.set("Content-Type", "application/json"), body);

import { IncomingMessage } from "node:http";
import { createPreparedResponse } from "../../../src/http/fast-path/answer.ts";
import { createDirectRequest } from "../../../src/http/fast-path/body.ts";
import { fastPathFault, findBodyFault, findFault } from "../../../src/http/fast-path/check.ts";

const Response = createPreparedResponse(5000);

it("accepts this version of Node", () => {
  expect(fastPathFault()).toBeUndefined();
});

it("finds an answer with other bytes", () => {
  expect(findFault(createPreparedResponse(6000))).toMatch(/^an answer differs: .*timeout=6/);
});

it("finds an answer in two writes", () => {
  class Twice extends Response<IncomingMessage> {
    override end(): this {
      super.end();
      this.socket?.write("more");
      return this;
    }
  }
  expect(findFault(Twice as unknown as typeof Response)).toBe("an answer leaves in 2 writes");
});

it("finds a Node that fails", () => {
  class Failing extends Response<IncomingMessage> {
    override end(): never {
      throw new TypeError("no such method");
    }
  }
  expect(findFault(Failing as unknown as typeof Response)).toBe("TypeError: no such method");
});

it("finds a Node that sends nothing", () => {
  class Silent extends Response<IncomingMessage> {
    override end(): this {
      return this;
    }
  }
  expect(findFault(Silent as unknown as typeof Response)).toBe("an answer leaves in 0 writes");
});

it("finds bodies that come another way than by push", () => {
  expect(findBodyFault(IncomingMessage)).toMatch(/^bodies arrive in another way: no receiver/);
});

it("finds a request that loses the receiver", () => {
  const Request = createDirectRequest();
  class Losing extends Request {
    override push(): boolean {
      return true;
    }
  }
  expect(findBodyFault(Losing)).toBe("bodies arrive in another way: stream null, close");
});

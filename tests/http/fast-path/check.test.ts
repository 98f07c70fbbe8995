import { ServerResponse } from "node:http";
import { createPreparedResponse } from "../../../src/http/fast-path/answer.ts";
import { fastPathFault, findFault } from "../../../src/http/fast-path/check.ts";

const responseWith = (change: (Response: typeof ServerResponse) => void): typeof ServerResponse => {
  const Response = createPreparedResponse(5000);
  change(Response);
  return Response;
};

it("accepts this version of Node", () => {
  expect(fastPathFault()).toBeUndefined();
});

it("finds an answer with other bytes", () => {
  expect(findFault(createPreparedResponse(6000))).toMatch(/^an answer differs: .*timeout=6/);
});

it("finds an answer in two writes", () => {
  const Response = responseWith(({ prototype }) => {
    prototype.end = function end(this: ServerResponse) {
      Reflect.apply(ServerResponse.prototype.end, this, []);
      this.socket?.write("more");
      return this;
    } as ServerResponse["end"];
  });
  expect(findFault(Response)).toBe("an answer leaves in 2 writes");
});

it("finds a Node that fails", () => {
  const Response = responseWith(({ prototype }) => {
    prototype.end = () => {
      throw new TypeError("no such method");
    };
  });
  expect(findFault(Response)).toBe("TypeError: no such method");
});

it("finds a Node that sends nothing", () => {
  const Response = responseWith(({ prototype }) => {
    prototype.end = function end() {
      return this;
    };
  });
  expect(findFault(Response)).toBe("an answer leaves in 0 writes");
});

/**
 * Bodies straight from Node's parser. Node puts the bytes of a body into the request's stream, and the stream gives them back by
 * its events some turns later. Here the parser's bytes go to a receiver, without the stream.
 *
 * This uses private parts of Node (`check.ts`): its parser gives bytes to a request by `push`, as to any stream, and a request whose
 * `_consuming` is false is read to its end after the answer.
 */
import { IncomingMessage } from "node:http";

/** Gets the bytes of one body. */
export interface BodyReceiver {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The request was destroyed before its end. */
  onClose(): void;
}

/**
 * `stream`: the bytes go to the stream; `whole`: the receiver had all of them. undefined: the request is of another class, and got
 * this prototype from Express.
 */
const BODY = Symbol("body");

interface Direct {
  [BODY]: "stream" | "whole" | BodyReceiver | undefined;
  _consuming: boolean;
}

/** The class of requests whose bodies can go to a receiver. As `createPreparedResponse`, it lets Express's prototype in between. */
export const createDirectRequest = () => {
  class Request extends IncomingMessage {
    [BODY]: Direct[typeof BODY] = "stream";

    override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
      const receiver = this[BODY];
      if (typeof receiver !== "object") return super.push(chunk, encoding);
      if (chunk === null) {
        this[BODY] = "whole";
        receiver.onEnd();
      } else receiver.onData(chunk);
      return true;
    }

    override destroy(error?: Error): this {
      const receiver = this[BODY];
      if (typeof receiver === "object") {
        stopReceiving(this);
        receiver.onClose();
      }
      return super.destroy(error);
    }
  }
  // Node asks for it after the answer, and when the connection closes.
  Object.defineProperty(Request.prototype, "readableEnded", {
    get(this: Request): boolean {
      return this[BODY] === "whole" || Reflect.get(IncomingMessage.prototype, "readableEnded", this);
    },
  });
  return Request;
};

/**
 * From now on the bytes of the body go to the receiver. Returns false if they go to the stream instead: the stream has some of
 * them already, or the client waits for `100 Continue`, which the stream's events bring about.
 */
export const receiveDirectly = (request: IncomingMessage, receiver: BodyReceiver): boolean => {
  const direct = request as IncomingMessage & Direct;
  if (direct[BODY] !== "stream" || !isUntouched(request)) return false;
  direct[BODY] = receiver;
  direct._consuming = true;
  return true;
};

const isUntouched = (request: IncomingMessage): boolean =>
  !request.complete &&
  !request.destroyed &&
  request.readableFlowing === null &&
  request.readableLength === 0 &&
  request.headers.expect === undefined;

/** Further bytes go to the stream again. */
export const stopReceiving = (request: IncomingMessage): void => {
  const direct = request as IncomingMessage & Direct;
  if (typeof direct[BODY] !== "object") return;
  direct[BODY] = "stream";
  direct._consuming = false;
};

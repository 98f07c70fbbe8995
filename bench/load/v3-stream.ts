/**
 * A REST Proxy v3 client with one stream. Sends as fast as the gateway reads for the given time, and then waits for the
 * missing reports. Arguments: URL, authorization, seconds. Prints the counts as one line of JSON.
 */
import { request } from "node:http";
import { V3_RECORD } from "./events.ts";

const RECORDS_PER_WRITE = 50;
const STORED = '"error_code":200';

const [url = "", authorization = "", seconds = ""] = process.argv.slice(2);
const piece = Buffer.from(`${V3_RECORD}\n`.repeat(RECORDS_PER_WRITE));
const began = performance.now();
const end = began + Number(seconds) * 1000;
let sent = 0;
let stored = 0;
let text = "";

const occurrences = (haystack: string): number => haystack.split(STORED).length - 1;

const call = request(
  url,
  { method: "POST", headers: { authorization, "content-type": "application/json" } },
  (answer) => {
    answer.setEncoding("latin1");
    answer.on("data", (chunk: string) => {
      text += chunk;
      const lineEnd = text.lastIndexOf("\n") + 1;
      stored += occurrences(text.slice(0, lineEnd));
      text = text.slice(lineEnd);
    });
    answer.on("end", () => {
      stored += occurrences(text);
      const took = (performance.now() - began) / 1000;
      const refused = answer.statusCode === 200 ? sent - stored : sent;
      process.stdout.write(`${JSON.stringify({ requests: stored, seconds: took, refused, broken: 0 })}\n`);
    });
  },
);

const write = (): void => {
  while (performance.now() < end) {
    sent += RECORDS_PER_WRITE;
    if (!call.write(piece)) {
      call.once("drain", write);
      return;
    }
  }
  call.end();
};
write();

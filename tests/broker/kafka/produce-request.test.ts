import { Reader, type Connection, type ResponseParser, type Writer } from "@platformatic/kafka";
import {
  produce,
  type PartitionAnswer,
  type ProduceRequest,
} from "../../../src/broker/kafka/produce-request.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

type Sent = [
  key: number,
  version: number,
  payload: () => Writer,
  parse: ResponseParser<PartitionAnswer[]>,
  requestTags: boolean,
  responseTags: boolean,
  callback: (error: Error | null, answers: PartitionAnswer[]) => void,
];

/** The bytes that are sent for a request, and the parsed `answer`. */
const exchange = async (
  request: ProduceRequest,
  answer: Buffer,
): Promise<{ key: number; version: number; sent: Buffer; answers: readonly PartitionAnswer[] }> => {
  const requests: { key: number; version: number; sent: Buffer }[] = [];
  const send = (...[key, version, payload, parse, , , callback]: Sent): void => {
    requests.push({ key, version, sent: payload().buffer });
    callback(null, parse(1, key, version, Reader.from(answer)) as PartitionAnswer[]);
  };
  const answers = await produce.async({ send } as unknown as Connection, request);
  const [first] = requests;
  if (first === undefined) throw new Error("nothing was sent");
  return { ...first, answers };
};

const oneAnswer = hex(`
  00000001 0001 74
  00000001 00000003 0000 0000000000000007 ffffffffffffffff 0000000000000000 00000000 ffff
  00000000`);

describe("a produce request", () => {
  it("has exactly the bytes of version 8 of Kafka's protocol", async () => {
    const batches = [
      { partition: 3, bytes: hex("aabbcc") },
      { partition: 258, bytes: hex("dd") },
    ];
    const { key, version, sent } = await exchange({ topic: "t", batches, timeout: 5000 }, oneAnswer);

    expect([key, version]).toEqual([0, 8]);
    expect(sent).toEqual(
      hex(`
        ffff ffff 00001388
        00000001 0001 74
        00000002
        00000003 00000003 aabbcc
        00000102 00000001 dd`),
    );
  });

  it("is answered per partition, without the errors of single records", async () => {
    const { answers } = await exchange(
      { topic: "t", batches: [], timeout: 1 },
      hex(`
        00000001 0001 74
        00000002
        00000003 0000 0000000000000007 0000018bcfe56800 0000000000000001 00000000 ffff
        00000004 0057 ffffffffffffffff ffffffffffffffff ffffffffffffffff
          00000002 00000000 0003 626164 00000001 ffff
          0003 626164
        00000000`),
    );

    expect(answers).toEqual([
      { partition: 3, errorCode: 0, baseOffset: 7n, logAppendTime: 1_700_000_000_000n },
      { partition: 4, errorCode: 87, baseOffset: -1n, logAppendTime: -1n },
    ]);
  });
});

import kafkajs from "kafkajs";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../src/broker/consumer-protocol.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const userData = Buffer.from("data of the user");

describe("a subscription", () => {
  it("is read by kafkajs", () => {
    const bytes = encodeSubscription({ topics: ["orders", "zahlungen-ö"], userData });

    expect(MemberMetadata.decode(bytes)).toEqual({ version: 0, topics: ["orders", "zahlungen-ö"], userData });
  });

  it("is read as kafkajs writes it", () => {
    const bytes = MemberMetadata.encode({ version: 1, topics: ["orders"], userData });

    expect(decodeSubscription(bytes)).toEqual({ topics: ["orders"], userData });
  });

  it("is read with the fields that later versions add, and with null as its data", () => {
    const later = Buffer.concat([encodeSubscription({ topics: ["orders"], userData }), Buffer.from("more")]);
    const withNull = Buffer.from("000300000001000161ffffffff00000000", "hex");

    expect(decodeSubscription(later)).toEqual({ topics: ["orders"], userData });
    expect(decodeSubscription(withNull)).toEqual({ topics: ["a"], userData: Buffer.alloc(0) });
  });

  it("is undefined when the bytes end early, at any length", () => {
    const bytes = encodeSubscription({ topics: ["orders", "clicks"], userData });
    for (let length = 0; length < bytes.length; length += 1)
      expect(decodeSubscription(bytes.subarray(0, length))).toBeUndefined();
  });

  it("is undefined for a length beyond the bytes", () => {
    expect(decodeSubscription(Buffer.from("00007fffffff", "hex"))).toBeUndefined();
    expect(decodeSubscription(Buffer.from("000000000001ffff", "hex"))).toBeUndefined();
  });
});

describe("an assignment", () => {
  const partitions = [
    { topic: "orders", partition: 2 },
    { topic: "clicks", partition: 0 },
    { topic: "orders", partition: 5 },
  ];

  it("is read by kafkajs", () => {
    expect(MemberAssignment.decode(encodeAssignment({ partitions, userData }))).toEqual({
      version: 0,
      assignment: { orders: [2, 5], clicks: [0] },
      userData,
    });
  });

  it("is read as kafkajs writes it", () => {
    const bytes = MemberAssignment.encode({
      version: 1,
      assignment: { orders: [2, 5], clicks: [0] },
      userData,
    });

    expect(decodeAssignment(bytes)).toEqual({
      partitions: [partitions[0], partitions[2], partitions[1]],
      userData,
    });
  });

  it("has no partitions when the leader has sent no bytes", () => {
    expect(decodeAssignment(Buffer.alloc(0))).toEqual({ partitions: [], userData: Buffer.alloc(0) });
  });

  it("is undefined when the bytes end early", () => {
    const bytes = encodeAssignment({ partitions, userData });
    for (let length = 1; length < bytes.length; length += 1)
      expect(decodeAssignment(bytes.subarray(0, length))).toBeUndefined();
  });
});

import { createLease, createPodRoom } from "../../src/spool/room.ts";

const leaseOf = () => {
  const asked: number[] = [];
  const time = { at: 0 };
  const lease = createLease({ ask: (bytes) => asked.push(bytes), monotonic: () => time.at });
  return { asked, lease, time };
};

describe("the room of a worker", () => {
  it("asks the main process only if what it has is used up", async () => {
    const { lease, asked } = leaseOf();
    const first = lease.take(100);
    lease.granted(250);
    expect([await first, lease.take(100), asked]).toEqual([true, true, [100]]);
    const third = lease.take(100);
    expect(asked).toEqual([100, 50]);
    lease.granted(50);
    expect(await third).toBe(true);
  });

  it("keeps the order of the calls that wait", async () => {
    const { lease } = leaseOf();
    const order: number[] = [];
    const waits = [80, 10].map(async (bytes) => {
      await lease.take(bytes);
      order.push(bytes);
    });
    lease.granted(90);
    await Promise.all(waits);
    expect(order).toEqual([80, 10]);
  });

  it("refuses calls for 100 ms after a refusal, and smaller ones get room", async () => {
    const { lease, asked, time } = leaseOf();
    const refused = lease.take(100);
    lease.granted(0);
    expect([await refused, lease.take(100), lease.take(200), asked]).toEqual([false, false, false, [100]]);
    const smaller = lease.take(50);
    lease.granted(50);
    expect(await smaller).toBe(true);
    time.at = 100;
    void lease.take(100);
    expect(asked).toEqual([100, 50, 100]);
  });

  it("gives up what it has not used", async () => {
    const { lease } = leaseOf();
    const taken = lease.take(100);
    lease.granted(250);
    await taken;
    lease.found(16);
    lease.give(6);
    expect([lease.drop(), lease.drop()]).toEqual([140, 0]);
  });
});

describe("the room of the pod", () => {
  it("is one number for all folders", () => {
    const room = createPodRoom(1000);
    expect([room.grant("a", 600, 2), room.grant("b", 600, 2), room.hasRoom]).toEqual([600, 0, false]);
    room.change("a", -300);
    expect([room.hasRoom, room.grant("b", 600, 2), room.usedBytes]).toEqual([true, 600, 900]);
  });

  it("grants more than is wanted while much is left", () => {
    const room = createPodRoom(1600);
    expect([room.grant("a", 10, 2), room.grant("a", 10, 2)]).toEqual([100, 93]);
    expect(createPodRoom(2 ** 40).grant("a", 10, 2)).toBe(1024 * 1024);
  });

  it("frees what a worker that has ended did not use", () => {
    const room = createPodRoom(1000);
    room.grant("a", 600, 1);
    room.grant("b", 100, 1);
    room.settle("a", 150);
    expect(room.usedBytes).toBe(250);
    room.settle("a", 0);
    expect(room.usedBytes).toBe(100);
  });
});

import type { Subject } from "../conformance.ts";
import { newTopic, record, subscribe } from "./tools.ts";

export const describeClosing = (setup: () => Promise<Subject>): void => {
  describe("a closed broker", () => {
    it("has settled the appends in flight, and calls no handlers", async () => {
      const subject = await setup();
      const { broker } = subject;
      const topic = await newTopic(broker);
      const reader = await subscribe(broker, { topics: [topic] });
      await reader.until(() => reader.held.length === 1);
      let settled = false;
      const inFlight = broker.append(topic, [record("in flight")]).finally(() => {
        settled = true;
      });
      await broker.close();
      expect(settled).toBe(true);
      const received = reader.records.length;
      const [late] = await broker.append(topic, [record("late")]);
      const [once] = await broker.appendOnce(topic, [{ partition: 0, records: [record("late")] }], {
        mayWrite: () => true,
        timeoutMs: 5000,
      });

      expect(await inFlight).toHaveLength(1);
      expect(late).toMatchObject({ status: "failed", error: { outcome: "unavailable" } });
      expect(once).toMatchObject({ status: "unsent", error: { code: "BROKER_UNAVAILABLE" } });
      await expect(broker.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
      expect(reader.records).toHaveLength(received);
      await subject.close();
    });
  });
};

import { createQuestions, type Questions } from "../../src/app/questions.ts";
import { createInquiries, type Inquiries } from "../../src/cluster/inquiries.ts";
import type { ToWorker } from "../../src/cluster/messages.ts";
import { createMetrics, type MetricSamples, textOfSum } from "../../src/observability/metrics.ts";

type Answers = Extract<ToWorker, { readonly type: "answers" }>;

describe("inquiries", () => {
  const workers = new Map<number, Questions>();
  let received: { readonly worker: number; readonly message: Answers }[] = [];
  let inquiries: Inquiries;
  let silent: number | undefined;

  const tell = (worker: number, message: ToWorker): void => {
    if (message.type === "answers") received.push({ worker, message });
    if (message.type !== "ask" || worker === silent) return;
    const { id, name, about } = message;
    void workers
      .get(worker)
      ?.answer(name, about)
      .then((answer) => {
        inquiries.onMessage(worker, { type: "answer", id, name, answer });
      });
  };

  const addWorker = (worker: number, answerers: Parameters<Questions["answerWith"]>[0]): void => {
    const questions = createQuestions();
    questions.answerWith(answerers);
    workers.set(worker, questions);
    inquiries.onMessage(worker, { type: "ready" });
  };

  const answered = async (): Promise<(typeof received)[number]> => {
    for (;;) {
      const [first] = received;
      if (first !== undefined) return first;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  beforeEach(() => {
    workers.clear();
    received = [];
    silent = undefined;
    inquiries = createInquiries(tell, () => Promise.resolve([]));
  });

  it("return the answers of all workers to the worker that asks", async () => {
    addWorker(1, { replaying: (connector) => connector === "crm" });
    addWorker(2, { replaying: () => false });
    inquiries.onMessage(2, { type: "ask-all", id: 7, name: "replaying", about: "crm" });

    expect(await answered()).toStrictEqual({
      worker: 2,
      message: { type: "answers", id: 7, gathered: { answers: [true, false], missing: 0 } },
    });
  });

  it("leave out a worker that does not answer within a second", async () => {
    addWorker(1, { replaying: () => true });
    addWorker(2, { replaying: () => true });
    silent = 2;
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "replaying", about: "crm" });

    expect((await answered()).message.gathered).toStrictEqual({ answers: [true], missing: 1 });
  });

  it("do not ask a worker that has ended", async () => {
    addWorker(1, { replaying: () => true });
    addWorker(2, { replaying: () => true });
    inquiries.onEnd(2);
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "replaying", about: "crm" });

    expect((await answered()).message.gathered).toStrictEqual({ answers: [true], missing: 0 });
  });

  it("use the last known metrics of a silent worker", async () => {
    const metrics = [createMetrics(), createMetrics()];
    for (const [index, one] of metrics.entries()) {
      one.eventsEnded("orders", "stored", 2);
      addWorker(index + 1, { metrics: () => one.samples() });
    }
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "metrics", about: "" });
    await answered();
    received = [];
    silent = 2;
    inquiries.onMessage(1, { type: "ask-all", id: 2, name: "metrics", about: "" });
    const { gathered } = (await answered()).message;

    expect(gathered.missing).toBe(1);
    expect(await textOfSum(gathered.answers as readonly MetricSamples[])).toMatch(
      /^stationgate_events_total\{.*\} 4$/m,
    );
  });

  it("give a new worker the keys of the fetch that began last", () => {
    const asked: string[] = [];
    const supervisor = createInquiries(
      (_, message) => {
        if (message.type === "ask") asked.push(message.about);
      },
      () => Promise.resolve([]),
    );
    const handover = (fetchedAt: number) => JSON.stringify({ source: "corp", keys: { jwks: [], fetchedAt } });
    for (const fetchedAt of [1000, 3000, 2000])
      supervisor.onMessage(1, { type: "ask-all", id: 1, name: "issuerKeys", about: handover(fetchedAt) });
    supervisor.onMessage(2, { type: "ready" });
    expect(asked).toEqual([handover(3000)]);
  });
});

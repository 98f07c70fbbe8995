import { createQuestions, type Questions } from "../../src/app/questions.ts";
import { createInquiries, type Inquiries } from "../../src/cluster/inquiries.ts";
import type { ToWorker } from "../../src/cluster/messages.ts";
import { createMetrics, type MetricSamples, textOfSum } from "../../src/observability/metrics.ts";

type Told = Extract<ToWorker, { readonly type: "answers" }>;

describe("inquiries among workers", () => {
  const workers = new Map<number, Questions>();
  let told: { readonly worker: number; readonly message: Told }[] = [];
  let inquiries: Inquiries;
  let mute: number | undefined;

  const tell = (worker: number, message: ToWorker): void => {
    if (message.type === "answers") told.push({ worker, message });
    if (message.type !== "ask" || worker === mute) return;
    const { id, name, about } = message;
    void workers
      .get(worker)
      ?.answer(name, about)
      .then((answer) => {
        inquiries.onMessage(worker, { type: "answer", id, name, answer });
      });
  };

  const hire = (worker: number, answerers: Parameters<Questions["answerWith"]>[0]): void => {
    const questions = createQuestions();
    questions.answerWith(answerers);
    workers.set(worker, questions);
    inquiries.onMessage(worker, { type: "ready" });
  };

  const answered = async (): Promise<(typeof told)[number]> => {
    for (;;) {
      const [first] = told;
      if (first !== undefined) return first;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  beforeEach(() => {
    workers.clear();
    told = [];
    mute = undefined;
    inquiries = createInquiries(tell);
  });

  it("give the worker that asks the answers of all about the same connector", async () => {
    hire(1, { replaying: (connector) => connector === "crm" });
    hire(2, { replaying: () => false });
    inquiries.onMessage(2, { type: "ask-all", id: 7, name: "replaying", about: "crm" });

    expect(await answered()).toStrictEqual({
      worker: 2,
      message: { type: "answers", id: 7, gathered: { answers: [true, false], missing: 0 } },
    });
  });

  it("answer without a worker that is silent for a second", async () => {
    hire(1, { replaying: () => true });
    hire(2, { replaying: () => true });
    mute = 2;
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "replaying", about: "crm" });

    expect((await answered()).message.gathered).toStrictEqual({ answers: [true], missing: 1 });
  });

  it("ask no worker that has ended", async () => {
    hire(1, { replaying: () => true });
    hire(2, { replaying: () => true });
    inquiries.onEnd(2);
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "replaying", about: "crm" });

    expect((await answered()).message.gathered).toStrictEqual({ answers: [true], missing: 0 });
  });

  it("count a silent worker's metrics as it told them last", async () => {
    const metrics = [createMetrics(), createMetrics()];
    for (const [index, one] of metrics.entries()) {
      one.eventsEnded("orders", "stored", 2);
      hire(index + 1, { metrics: () => one.samples() });
    }
    inquiries.onMessage(1, { type: "ask-all", id: 1, name: "metrics", about: "" });
    await answered();
    told = [];
    mute = 2;
    inquiries.onMessage(1, { type: "ask-all", id: 2, name: "metrics", about: "" });
    const { gathered } = (await answered()).message;

    expect(gathered.missing).toBe(1);
    expect(await textOfSum(gathered.answers as readonly MetricSamples[])).toMatch(
      /^stationgate_events_total\{.*\} 4$/m,
    );
  });
});

import { createGathering, type Gathering } from "../../../src/cluster/inquiries.ts";

const NEVER = 60_000;
const SOON = 20;

/** Answers with the worker's number, except for mute workers. Returns the workers that were asked. */
const gatherFrom = async (gathering: Gathering, workers: readonly number[], mute: readonly number[] = []) => {
  const asked: number[] = [];
  const gathered = await gathering.gather(workers, (worker, id) => {
    asked.push(worker);
    if (!mute.includes(worker)) gathering.answered(worker, id, worker);
  });
  return { ...gathered, asked };
};

describe("gathering answers", () => {
  it("resolves with the answers of all workers", async () => {
    expect(await gatherFrom(createGathering(NEVER), [1, 2])).toMatchObject({ answers: [1, 2], missing: 0 });
  });

  it("resolves without workers", async () => {
    expect(await gatherFrom(createGathering(NEVER), [])).toMatchObject({ answers: [], missing: 0 });
  });

  it("counts a worker that doesn't answer in time as missing", async () => {
    expect(await gatherFrom(createGathering(SOON), [1, 2], [2])).toMatchObject({ answers: [1], missing: 1 });
  });

  it("counts a worker without an answer as missing, and does not wait for it", async () => {
    const gathering = createGathering(NEVER);
    const gathered = gathering.gather([1, 2], (worker, id) => {
      gathering.answered(worker, id, worker === 1 ? undefined : worker);
    });

    expect(await gathered).toStrictEqual({ answers: [2], missing: 1 });
  });

  it("does not wait for a worker that ends", async () => {
    const gathering = createGathering(NEVER);
    const gathered = gatherFrom(gathering, [1, 2], [2]);
    gathering.ended(2);

    expect(await gathered).toMatchObject({ answers: [1], missing: 1 });
  });

  it("does not ask a late worker again until it answers", async () => {
    const gathering = createGathering(SOON);
    let lateId = 0;
    await gathering.gather([2], (_, id) => (lateId = id));

    expect(await gatherFrom(gathering, [1, 2])).toStrictEqual({ answers: [1], missing: 1, asked: [1] });

    gathering.answered(2, lateId, 2);

    expect(await gatherFrom(gathering, [1, 2])).toStrictEqual({ answers: [1, 2], missing: 0, asked: [1, 2] });
  });

  it("separates the answers to concurrent questions", async () => {
    const gathering = createGathering(NEVER);
    const ids: number[] = [];
    const ask = (_: number, id: number): void => void ids.push(id);
    const [first, second] = [gathering.gather([1], ask), gathering.gather([1], ask)];
    gathering.answered(1, ids[1] ?? 0, "second");
    gathering.answered(1, ids[0] ?? 0, "first");

    expect((await first).answers).toStrictEqual(["first"]);
    expect((await second).answers).toStrictEqual(["second"]);
  });
});

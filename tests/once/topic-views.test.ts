import { GatewayError } from "../../src/errors.ts";
import { createTopicViews } from "../../src/once/topic-views.ts";
import { createFakeClock } from "../support/fake-clock.ts";

/** The topic's id is the number of the read; undefined: the topic is gone. */
const setUp = (answers: readonly (string | undefined | GatewayError)[]) => {
  const clock = createFakeClock();
  let reads = 0;
  const views = createTopicViews(
    {
      topicId: () => {
        const answer = answers[reads++];
        return answer instanceof GatewayError ? Promise.reject(answer) : Promise.resolve(answer);
      },
      partitions: () => Promise.resolve([{ leader: 1 }, { leader: undefined }] as never),
    },
    clock,
  );
  return { clock, views, idOf: async () => (await views.view("t")).id };
};

it("reads a topic once a second at most", async () => {
  const { clock, views, idOf } = setUp(["1", "2"]);
  expect(await views.view("t")).toEqual({ name: "t", id: "1", leaders: [1, undefined] });
  clock.advance(999);
  expect(await idOf()).toBe("1");
  clock.advance(1);
  expect(await idOf()).toBe("2");
});

it("reads a topic again after it was forgotten", async () => {
  const { views, idOf } = setUp(["1", "2"]);
  expect(await idOf()).toBe("1");
  views.forget("t");
  expect(await idOf()).toBe("2");
});

it("gives all calls that come during a read the same view", async () => {
  const { clock, views, idOf } = setUp(["1", "2"]);
  const first = idOf();
  clock.advance(2000);
  views.forget("t");
  expect(await Promise.all([first, idOf()])).toEqual(["1", "1"]);
});

it("remembers no failure", async () => {
  const { idOf } = setUp([undefined, new GatewayError("BROKER_UNAVAILABLE"), "3"]);
  await expect(idOf()).rejects.toMatchObject({ code: "STATION_UNKNOWN" });
  await expect(idOf()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  expect(await idOf()).toBe("3");
});

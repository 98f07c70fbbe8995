import { createRequestIds } from "../../src/http/request-ids.ts";

it("counts in the last part of a random UUID", () => {
  const next = createRequestIds("8e0f4c1a-55b2-4c3d-9d10-0000000000ff");
  expect([next(), next()]).toEqual([
    "8e0f4c1a-55b2-4c3d-9d10-0000000000ff",
    "8e0f4c1a-55b2-4c3d-9d10-000000000100",
  ]);
});

it("stays in the form of a UUID after the highest number", () => {
  const next = createRequestIds("8e0f4c1a-55b2-4c3d-9d10-ffffffffffff");
  next();
  expect(next()).toBe("8e0f4c1a-55b2-4c3d-9d10-000000000000");
});

it("begins at random", () => {
  const [one, two] = [createRequestIds()(), createRequestIds()()];
  expect(one).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  expect(one.slice(0, 23)).not.toBe(two.slice(0, 23));
});

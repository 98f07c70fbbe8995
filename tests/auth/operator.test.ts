import { createOperatorDoor } from "../../src/auth/operator.ts";
import { createSecretVerifier } from "../../src/auth/secrets.ts";
import { cheapHash, failureOf } from "./support.ts";

const doorWith = (adminToken: string | undefined) =>
  createOperatorDoor({ adminToken, verify: createSecretVerifier() });

describe("the operators' door", () => {
  it.each(["admin-token", cheapHash("admin-token")])(
    "opens to the admin token, configured as %s",
    async (configured) => {
      await expect(doorWith(configured)("Bearer admin-token")).resolves.toBeUndefined();
    },
  );

  it.each([undefined, "", "admin-token", "Bearer wrong", "Bearer  admin-token", "ApiKey admin-token"])(
    "stays shut to %p",
    async (header) => {
      for (const configured of ["admin-token", cheapHash("admin-token")])
        expect(await failureOf(() => doorWith(configured)(header))).toMatchObject({
          code: "UNAUTHORIZED",
          message: "Unauthorized",
        });
    },
  );

  it("stays shut to everybody while there is no admin token", async () => {
    for (const header of [undefined, "", "Bearer ", "Bearer undefined"])
      expect(await failureOf(() => doorWith(undefined)(header))).toMatchObject({ code: "UNAUTHORIZED" });
  });
});

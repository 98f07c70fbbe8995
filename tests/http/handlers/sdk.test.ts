import request from "supertest";
import { sdkRoute } from "../../../src/http/handlers/sdk.ts";
import { createTestGateway } from "../support.ts";

describe.each(["stationgate.js", "subscribe.js"] as const)("GET /sdk/%s", (name) => {
  it("serves the script to any page, and 304 if the page has the current version", async () => {
    const { app } = await createTestGateway({ routes: [sdkRoute(name, "var Stationgate={};")] });
    const first = await request(app).get(`/sdk/${name}`).set("Origin", "https://shop.example");
    expect([first.status, first.text]).toEqual([200, "var Stationgate={};"]);
    expect(first.headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cross-origin-resource-policy": "cross-origin",
      "access-control-allow-origin": "*",
      "cache-control": "public, max-age=3600",
    });
    const again = await request(app)
      .get(`/sdk/${name}`)
      .set("If-None-Match", `"x", ${String(first.headers["etag"])}`);
    expect([again.status, again.text]).toEqual([304, ""]);
  });
});

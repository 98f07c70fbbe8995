import { standardWebhookHeaders } from "../../../../src/delivery/connectors/requests.ts";

describe("standardWebhookHeaders", () => {
  it("signs as the specification's example", () => {
    const headers = standardWebhookHeaders(
      Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"),
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1_614_265_330,
      Buffer.from('{"test": 2432232314}'),
    );

    expect(headers).toStrictEqual([
      "webhook-id",
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp",
      "1614265330",
      "webhook-signature",
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ]);
  });
});

/** A configuration of Confluent's HTTP Sink V2, and the bytes of the requests that it makes. */
import { TOPIC } from "../../rig.ts";
import {
  OK,
  start,
  received,
  produce,
  request,
  TEXT,
  JSON_TYPE,
  texts,
  rig,
  endpoint,
  stop,
} from "./raw-rig.ts";

afterEach(stop);

describe("HTTP Sink V2", () => {
  it("sends each topic to its api", async () => {
    await start([OK]);
    await rig.broker.ensureTopic({ name: "bills", partitions: 1 });
    await produce({ value: '{"order_id":5}', key: "k" }, { value: '{"order_id":6}', key: "k" });
    rig.run({
      "connector.class": "HttpSinkV2",
      topics: `${TOPIC},bills`,
      "http.api.base.url": `${endpoint.url}/v1/`,
      "auth.type": "BEARER",
      "bearer.token": "t0k",
      "input.data.format": "JSON",
      "apis.num": "2",
      "api1.topics": TOPIC,
      "api1.http.api.path": "/orders/{id}",
      "api1.http.path.parameters": "id:${order_id}",
      "api1.http.request.parameters": "a=b&c=${key}",
      "api1.http.request.method": "PUT",
      "api1.http.request.headers": "X-A: 1#X-B: 2",
      "api1.http.request.headers.separator": "#",
      "api1.request.body.format": "json",
      "api2.topics": "bills",
      "api2.http.api.path": "bills",
      "api2.max.batch.size": "5",
      "api2.behavior.on.null.values": "delete",
    });
    await received(2);
    await rig.broker.append("bills", [
      { key: Buffer.from("9"), value: null, headers: [], timestamp: 0 },
      { key: null, value: Buffer.from("1"), headers: [], timestamp: 0 },
      { key: null, value: Buffer.from("2"), headers: [], timestamp: 0 },
    ]);
    await received(4);
    const token = "Authorization: Bearer t0k";
    const headers = ["X-A: 1", "X-B: 2", token, JSON_TYPE];

    expect(texts()).toStrictEqual([
      request("PUT /v1/orders/5?a=b&c=k", headers, '[{"order_id":5}]'),
      request("PUT /v1/orders/6?a=b&c=k", headers, '[{"order_id":6}]'),
      request("DELETE /v1/bills/9", [token], ""),
      request("POST /v1/bills", [token, TEXT], "1,2"),
    ]);
  });
});

/** Several gateway processes ("pods") in one test process. They share a memory broker and a scripted HTTP sink. */
import type { Broker } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
} from "../../../src/delivery/connectors/connector-delivery.ts";
import { startHttpSink, type HttpSink } from "../../support/http-sink.ts";

export const CONNECTORS_TOPIC = "_stationgate-connectors";

const ignore = (): void => undefined;

export interface Pods {
  readonly broker: Broker;
  readonly sink: HttpSink;
  /** The configuration of a connector from `orders` to the sink. */
  config(more?: Readonly<Record<string, string>>): Record<string, string>;
  create(workerId: string, options?: Partial<DeliveryOptions>): Delivery;
  /** Creates a pod and opens it. */
  start(workerId: string, options?: Partial<DeliveryOptions>): Promise<Delivery>;
  /** Stores one record in `orders`. */
  produce(value: string, partition?: number): Promise<void>;
  close(): Promise<void>;
}

export const createPods = async (): Promise<Pods> => {
  const broker = createMemoryBroker();
  await broker.open();
  await broker.ensureTopic({ name: "orders", partitions: 2 });
  const sink = await startHttpSink();
  const pods: Delivery[] = [];

  const create = (workerId: string, options: Partial<DeliveryOptions> = {}): Delivery => {
    const pod = createDelivery({
      broker,
      connectorsTopic: CONNECTORS_TOPIC,
      allowTargets: ["127.0.0.0/8"],
      declared: [],
      workerId,
      observer: { attempted: ignore, dropped: ignore, skipped: ignore, fault: ignore },
      ...options,
    });
    pods.push(pod);
    return pod;
  };

  return {
    broker,
    sink,
    config: (more = {}) => ({
      topics: "orders",
      "callback.request.url": sink.url,
      "callback.request.method": "POST",
      ...more,
    }),
    create,
    start: async (workerId, options) => {
      const pod = create(workerId, options);
      await pod.open();
      return pod;
    },
    produce: async (value, partition = 0) => {
      await broker.append("orders", [
        { key: null, value: Buffer.from(value), headers: [], timestamp: Date.now(), partition },
      ]);
    },
    close: async () => {
      await sink.close();
      await Promise.all(pods.map((pod) => pod.close()));
      await broker.close();
    },
  };
};

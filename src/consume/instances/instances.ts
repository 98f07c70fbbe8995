/**
 * REST Proxy v2 consumers in the homes of their groups. An instance is a record of its group's slot, so that it outlives the
 * process; its positions outlive a planned end of the process.
 */
import { compileReadable } from "../../auth/permissions.ts";
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { PeerAnswer } from "../../home/peers/peers.ts";
import type { Clock } from "../../lib/clock.ts";
import { compileLinear } from "../../lib/linear-pattern.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { ReaderApi, ReaderCall, ReaderSlot } from "../readers.ts";
import type { SlotRecords } from "../slot-records.ts";
import { Instance } from "./instance.ts";
import { InstanceGroup } from "./instance-group.ts";
import { answer, type OperationOptions } from "./context.ts";
import { OPERATIONS } from "./operations.ts";
import { type Arguments, type InstanceCall, type NamedTopic, type Operation, V2_PATH } from "./requests.ts";
import { storedInstances, type Subscription } from "./stored.ts";

/** Times in milliseconds. */
export interface InstancesOptions {
  readonly broker: Pick<Broker, "read" | "committed" | "watermarks" | "partitions" | "offsetsAt">;
  readonly clock: Clock;
  readonly memory: Pick<MemoryBudget, "tryTake" | "give">;
  /** The stations that exist. Rejects with BROKER_UNAVAILABLE. */
  readonly stations: () => Promise<readonly { readonly name: string; readonly topic: string }[]>;
  readonly maxInstances: number;
  readonly maxPerPrincipal: number;
  /** An instance ends after this time without a call. */
  readonly consumerTimeout: () => number;
  /** Most bytes of keys and values of one answer. */
  readonly maxBytes: () => number;
  /** Bytes that the instances of a group together read before a call asks for them. */
  readonly groupBuffer: number;
  /** undefined: there is no schema registry now. */
  readonly decoder: () => OperationOptions["decoder"];
  readonly onAnswer: OperationOptions["onAnswer"];
  readonly onCommitFailed: () => void;
  readonly onError: (error: GatewayError) => void;
}

export interface Instances extends ReaderApi {
  /** Number of instances in this process. */
  readonly count: number;
}

const SWEEP_MS = 1000;
const MATCH_MS = 30_000;
/** Milliseconds after which an instance without calls keeps no records in memory. */
const IDLE_MS = 10_000;

export const createInstances = (options: InstancesOptions): Instances => new GroupedInstances(options);

class GroupedInstances implements Instances {
  readonly path = V2_PATH;
  readonly #options: InstancesOptions;
  readonly #slots = new Map<SlotRecords, ReaderSlot>();
  readonly #groups = new Map<string, InstanceGroup>();
  #isSweeping = false;
  #matchedAt = 0;

  constructor(options: InstancesOptions) {
    this.#options = options;
  }

  get count(): number {
    let count = 0;
    for (const { instances } of this.#groups.values()) count += instances.size;
    return count;
  }

  async opened(slot: ReaderSlot): Promise<void> {
    this.#slots.set(slot.records, slot);
    const found = storedInstances(slot.records);
    for (const { group, instance, stored } of found) {
      const of = this.#group(group, slot);
      if (!of.instances.has(instance))
        of.instances.set(
          instance,
          new Instance(instance, stored, { now: this.#options.clock.now(), isStored: true }),
        );
    }
    const names = new Set(found.map(({ group, instance }) => JSON.stringify([group, instance])));
    for (const group of this.#groupsOf(slot)) {
      for (const instance of [...group.instances.values()])
        if (instance.isStored && !names.has(JSON.stringify([group.name, instance.name])))
          group.forget(instance);
      await Promise.all([...group.instances.values()].map((instance) => this.#match(group, instance)));
      group.restore();
    }
    this.#sweepLater();
  }

  async serve({ path, body, group: { name, records }, signal }: ReaderCall): Promise<PeerAnswer> {
    const slot = this.#slots.get(records);
    if (slot === undefined) throw new GatewayError("SLOT_MOVED");
    const call = body as InstanceCall & { readonly arguments: never };
    const operation = path.slice(V2_PATH.length) as Operation;
    const group = this.#group(name, slot);
    try {
      group.check();
      if (operation === "create") return await this.#create(group, call, call.arguments);
      return await this.#run(group, call, operation, signal);
    } catch (error) {
      throw group.signal.aborted ? new GatewayError("SLOT_MOVED") : error;
    } finally {
      this.#forgetEmpty(group);
    }
  }

  async closed(slot: ReaderSlot, reason: "handed-over" | "lost"): Promise<void> {
    this.#slots.delete(slot.records);
    const groups = this.#groupsOf(slot);
    for (const { name } of groups) this.#groups.delete(name);
    await Promise.all(groups.map((group) => group.close(reason === "handed-over")));
  }

  async #run(
    group: InstanceGroup,
    call: InstanceCall & { readonly arguments: never },
    operation: Exclude<Operation, "create">,
    clientSignal: AbortSignal,
  ): Promise<PeerAnswer> {
    const { clock } = this.#options;
    const instance = group.find(call.instance, call.owner);
    await this.#setRights(group, instance, call.readable);
    const signal = AbortSignal.any([clientSignal, group.signal, instance.deleted.signal]);
    const context = { group, instance, readable: call.readable, signal, options: this.#operationOptions() };
    try {
      return await instance.during(
        () => clock.now(),
        () => OPERATIONS[operation](context, call.arguments),
      );
    } catch (error) {
      if (instance.deleted.signal.aborted) throw new GatewayError("INSTANCE_UNKNOWN");
      throw clientSignal.aborted
        ? new GatewayError("HOME_UNAVAILABLE", { cause: "the client has left" })
        : error;
    }
  }

  #operationOptions(): OperationOptions {
    const { maxBytes, decoder, ...options } = this.#options;
    return {
      ...{ ...options, maxBytes: maxBytes(), decoder: decoder() },
      matching: (subscription) => this.#matching(subscription),
    };
  }

  async #create(
    group: InstanceGroup,
    { instance: name, owner }: InstanceCall,
    { settings, baseUri, requestId }: Arguments<"create">,
  ): Promise<PeerAnswer> {
    const known = group.instances.get(name);
    if (known !== undefined && known.requestId !== requestId)
      throw new GatewayError("INSTANCE_EXISTS", {
        message: `The group ${group.name} has a consumer instance ${name}`,
      });
    if (known === undefined) {
      this.#admit(owner);
      const stored = { owner, settings, requestId, subscription: { kind: "none" } } as const;
      await group.create(new Instance(name, stored, { now: this.#options.clock.now(), isStored: false }));
      this.#sweepLater();
    }
    return answer(200, { instance_id: name, base_uri: baseUri });
  }

  /** Throws OVERLOADED or RATE_LIMITED. */
  #admit(owner: string): void {
    const { maxInstances, maxPerPrincipal } = this.#options;
    if (this.count >= maxInstances)
      throw new GatewayError("OVERLOADED", {
        message: `There are ${maxInstances} consumer instances (reading.maxInstances)`,
      });
    if (this.#countOf(owner) >= maxPerPrincipal)
      throw new GatewayError("RATE_LIMITED", {
        message: `You have ${maxPerPrincipal} consumer instances (reading.instancesPerPrincipal): delete one`,
        retryAfter: 1,
      });
  }

  /** A pattern matches only what its caller may read now. */
  async #setRights(
    group: InstanceGroup,
    instance: Instance,
    readable: readonly (readonly string[])[],
  ): Promise<void> {
    const { subscription } = instance;
    if (subscription.kind !== "pattern") return;
    if (JSON.stringify(subscription.readable) === JSON.stringify(readable)) return;
    instance.subscription = { ...subscription, readable };
    await this.#match(group, instance);
  }

  async #matching({
    pattern,
    readable,
  }: Extract<Subscription, { kind: "pattern" }>): Promise<readonly NamedTopic[]> {
    const matches = compileLinear(pattern);
    if (matches === undefined)
      throw new GatewayError("SHAPE_INVALID", {
        message: `topic_pattern must be a regular expression that matches in linear time (got ${JSON.stringify(pattern.slice(0, 80))})`,
      });
    const mayRead = compileReadable(readable);
    return (await this.#options.stations())
      .filter(({ name }) => mayRead(name) && matches(name))
      .map(({ name, topic }) => ({ name, station: name, topic }));
  }

  /** If the stations can't be listed, the instance keeps the topics that it has. */
  async #match(group: InstanceGroup, instance: Instance): Promise<void> {
    if (instance.subscription.kind !== "pattern") return;
    try {
      const topics = await this.#matching(instance.subscription);
      if (JSON.stringify(topics) !== JSON.stringify(instance.topics)) group.setTopics(instance, topics);
    } catch (error) {
      this.#options.onError(asGatewayError(error));
    }
  }

  #sweepLater(): void {
    if (this.#isSweeping || this.count === 0) return;
    this.#isSweeping = true;
    this.#options.clock.after(SWEEP_MS, () => {
      this.#isSweeping = false;
      this.#sweep();
      this.#sweepLater();
    });
  }

  #sweep(): void {
    const { clock, consumerTimeout, onError } = this.#options;
    const now = clock.now();
    const isMatching = now - this.#matchedAt >= MATCH_MS;
    if (isMatching) this.#matchedAt = now;
    for (const group of [...this.#groups.values()]) {
      for (const instance of [...group.instances.values()]) {
        if (isMatching) void this.#match(group, instance);
        if (instance.isActive) continue;
        const idle = now - instance.lastCall;
        if (idle >= IDLE_MS) for (const cursor of instance.cursors.values()) cursor.dropBuffer();
        if (idle >= consumerTimeout()) group.remove(instance).catch(onError);
      }
      this.#forgetEmpty(group);
    }
  }

  #group(name: string, slot: ReaderSlot): InstanceGroup {
    const known = this.#groups.get(name);
    if (known?.slot === slot) return known;
    const created = new InstanceGroup(name, slot, {
      ...this.#options,
      makeRoom: () => {
        for (const group of this.#groups.values()) group.dropBuffers();
      },
    });
    this.#groups.set(name, created);
    return created;
  }

  #groupsOf(slot: ReaderSlot): readonly InstanceGroup[] {
    return [...this.#groups.values()].filter((group) => group.slot === slot);
  }

  #forgetEmpty(group: InstanceGroup): void {
    if (group.instances.size === 0 && this.#groups.get(group.name) === group) this.#groups.delete(group.name);
  }

  #countOf(owner: string): number {
    let count = 0;
    for (const { instances } of this.#groups.values())
      for (const instance of instances.values()) if (instance.owner === owner) count += 1;
    return count;
  }
}

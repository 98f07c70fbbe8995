/** Compiles the parsed text of a filter to functions. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { Event } from "../event.ts";
import { compileCall, compileMatch } from "./functions.ts";
import { kindOf } from "./library.ts";
import { compileMacro, MACROS } from "./macros.ts";
import { nameOf, negative, noOverload, OPERATORS } from "./operators.ts";
import { FilterFailure, type Frame, type Run, spend, TOO_MANY_STEPS } from "./steps.ts";

/** Why a filter can't be used, although its syntax and its types are right. */
export class Refusal extends Error {}

/** What is known where a part of the filter is compiled. */
interface Scope {
  /** Variables of macros, by their slot. */
  readonly slots: readonly string[];
  readonly isInMacro: boolean;
  /** Counts of the whole filter. */
  readonly totals: { nodes: number; patterns: number };
}

/** Maximum number of instructions of all patterns of a filter together. RE2 needs time to compile them. */
const MAX_PATTERN_SIZE = 10_000;

const VARIABLES: ReadonlyMap<string, (event: Event) => unknown> = new Map<string, (event: Event) => unknown>([
  ["data", ({ data }) => data],
  ["topic", ({ topic }) => topic],
  ["key", ({ key }) => key],
  ["partition", ({ partition }) => BigInt(partition)],
  ["offset", ({ offset }) => offset],
  ["headers", ({ headers }) => headers],
  ["time", ({ time }) => time],
  ["eventType", ({ eventType }) => eventType],
]);

const compileVariable = (name: string, { slots }: Scope): Run => {
  const slot = slots.lastIndexOf(name);
  if (slot >= 0) return ({ slots: values }) => values[slot];
  const read = VARIABLES.get(name);
  if (read === undefined) throw new Refusal(`${name} is not a variable of an event`);
  return ({ event }) => read(event);
};

const indexOf = (index: unknown): number | undefined => {
  const position = typeof index === "bigint" ? Number(index) : index;
  return typeof position === "number" && Number.isInteger(position) ? position : undefined;
};

/** The element of a list, or the member of a map. undefined: the list or map doesn't have it. */
const memberOf = (container: unknown, name: unknown): unknown => {
  if (Array.isArray(container)) {
    const index = indexOf(name);
    return index === undefined ? undefined : (container as readonly unknown[])[index];
  }
  const key = nameOf(name);
  if (kindOf(container) !== "map" || key === undefined) return undefined;
  return Object.hasOwn(container as object, key)
    ? (container as Readonly<Record<string, unknown>>)[key]
    : undefined;
};

const compileMember = (container: Run, name: Run, shown: string): Run => {
  const missing = new FilterFailure(`there is no ${shown}`);
  return (frame) => {
    const found = memberOf(container(frame), name(frame));
    if (found === undefined) throw missing;
    return found;
  };
};

/** An error of one operand doesn't count if the other operand decides. */
const compileLogic = (left: Run, right: Run, decisive: boolean, name: string): Run => {
  const truth = (value: unknown): boolean => {
    if (typeof value !== "boolean") throw noOverload(name);
    return value;
  };
  return (frame) => {
    let first: boolean;
    try {
      first = truth(left(frame));
    } catch (error) {
      if (error === TOO_MANY_STEPS || truth(right(frame)) !== decisive) throw error;
      return decisive;
    }
    return first === decisive ? decisive : truth(right(frame));
  };
};

const NO_CONDITION = new FilterFailure("the condition before ? is no bool");

const compileChoice = ([condition, yes, no]: readonly [Run, Run, Run]): Run => {
  return (frame) => {
    const chosen = condition(frame);
    if (typeof chosen !== "boolean") throw NO_CONDITION;
    return chosen ? yes(frame) : no(frame);
  };
};

const compileNot = (operand: Run): Run => {
  return (frame) => {
    const value = operand(frame);
    if (typeof value !== "boolean") throw noOverload("!");
    return !value;
  };
};

const compileNegative =
  (operand: Run): Run =>
  (frame) =>
    negative(operand(frame));

const variableOf = (node: ASTNode | undefined): string => {
  if (node?.op !== "id") throw new Refusal("a macro needs a name for its element");
  return node.args;
};

/** Each run of the expression costs as many steps as it has nodes. */
const compileBody = (node: ASTNode | undefined, variable: string, scope: Scope) => {
  if (node === undefined) throw new Refusal("a macro needs an expression");
  const slot = scope.slots.length;
  const before = scope.totals.nodes;
  const run = compileNode(node, { ...scope, slots: [...scope.slots, variable], isInMacro: true });
  const steps = scope.totals.nodes - before;
  return (frame: Frame, element: unknown): unknown => {
    spend(frame, steps);
    frame.slots[slot] = element;
    return run(frame);
  };
};

const compileMacroCall = (name: string, range: ASTNode, args: readonly ASTNode[], scope: Scope): Run => {
  if (scope.isInMacro) throw new Refusal(`${name} is a macro inside a macro`);
  const variable = variableOf(args[0]);
  return compileMacro({
    name,
    range: compileNode(range, scope),
    predicate: compileBody(args[1], variable, scope),
    transform: args[2] && compileBody(args[2], variable, scope),
  });
};

/** `cel.bind(name, value, expression)`. */
const compileBind = ([name, value, expression]: readonly ASTNode[], scope: Scope): Run => {
  const variable = variableOf(name);
  if (value === undefined || expression === undefined) throw new Refusal("cel.bind needs three arguments");
  const slot = scope.slots.length;
  const bound = compileNode(value, scope);
  const run = compileNode(expression, { ...scope, slots: [...scope.slots, variable] });
  return (frame) => {
    frame.slots[slot] = bound(frame);
    return run(frame);
  };
};

const compileHas = (node: ASTNode | undefined, scope: Scope): Run => {
  if (node?.op !== ".") throw new Refusal("has needs a member, for example has(data.amount)");
  const [of, name] = node.args;
  const container = compileNode(of, scope);
  return (frame) => memberOf(container(frame), name) !== undefined;
};

const compilePattern = (text: ASTNode, pattern: ASTNode | undefined, scope: Scope): Run => {
  if (pattern?.op !== "value" || typeof pattern.args !== "string")
    throw new Refusal("the pattern of matches must be a text in quotation marks");
  const { totals } = scope;
  try {
    const { run, size } = compileMatch(compileNode(text, scope), pattern.args);
    totals.patterns += size;
    if (totals.patterns <= MAX_PATTERN_SIZE) return run;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const reason = error instanceof Error ? error.message : "";
    throw new Refusal(`RE2 doesn't support the pattern ${JSON.stringify(pattern.args)}: ${reason}`);
  }
  throw new Refusal("the patterns are too large; use smaller numbers of repetitions");
};

const compileMethod = (
  [name, of, args]: readonly [string, ASTNode, readonly ASTNode[]],
  scope: Scope,
): Run => {
  if (MACROS.has(name)) return compileMacroCall(name, of, args, scope);
  if (name === "matches") return compilePattern(of, args[0], scope);
  if (name === "bind" && of.op === "id" && of.args === "cel") return compileBind(args, scope);
  return compileCall(
    name,
    true,
    [of, ...args].map((node) => compileNode(node, scope)),
  );
};

/** For a call that has always the same result, for example `timestamp("2026-01-01T00:00:00Z")`. */
const onlyOnce = (call: Run): Run => {
  let result: { readonly value: unknown } | undefined;
  return (frame) => (result ??= { value: call(frame) }).value;
};

const compileFunction = ([name, args]: readonly [string, readonly ASTNode[]], scope: Scope): Run => {
  if (name === "has") return compileHas(args[0], scope);
  if (name === "type") throw new Refusal("type is not served here");
  const call = compileCall(
    name,
    false,
    args.map((node) => compileNode(node, scope)),
  );
  return args.every(({ op }) => op === "value") ? onlyOnce(call) : call;
};

const compileBinary = (node: ASTNode, scope: Scope): Run => {
  const operator = OPERATORS.get(node.op);
  if (operator === undefined || !Array.isArray(node.args)) throw new Refusal(`${node.op} is not served here`);
  const [left, right] = (node.args as readonly [ASTNode, ASTNode]).map((operand) =>
    compileNode(operand, scope),
  ) as [Run, Run];
  return (frame) => operator(frame, left(frame), right(frame));
};

const compileList = (nodes: readonly ASTNode[], scope: Scope): Run => {
  const elements = nodes.map((node) => compileNode(node, scope));
  return (frame) => elements.map((run) => run(frame));
};

const compileMap = (entries: readonly (readonly [ASTNode, ASTNode])[], scope: Scope): Run => {
  const members = entries.map(
    ([name, value]) => [compileNode(name, scope), compileNode(value, scope)] as const,
  );
  return (frame) =>
    Object.fromEntries(members.map(([name, value]) => [String(name(frame)), value(frame)] as const));
};

type NodeOf<Op extends ASTNode["op"]> = Extract<ASTNode, { readonly op: Op }>;

/** All other nodes are operators with two operands. */
const COMPILERS: { readonly [Op in ASTNode["op"]]?: (node: NodeOf<Op>, scope: Scope) => Run } = {
  value:
    ({ args: value }) =>
    () =>
      value,
  id: ({ args: name }, scope) => compileVariable(name, scope),
  ".": ({ args: [of, name] }, scope) => compileMember(compileNode(of, scope), () => name, `member ${name}`),
  "[]": ({ args: [of, name] }, scope) =>
    compileMember(compileNode(of, scope), compileNode(name, scope), "element or member of this name"),
  call: ({ args }, scope) => compileFunction(args, scope),
  rcall: ({ args }, scope) => compileMethod(args, scope),
  list: ({ args }, scope) => compileList(args, scope),
  map: ({ args }, scope) => compileMap(args, scope),
  "?:": ({ args }, scope) =>
    compileChoice(args.map((operand) => compileNode(operand, scope)) as [Run, Run, Run]),
  "||": ({ args: [left, right] }, scope) =>
    compileLogic(compileNode(left, scope), compileNode(right, scope), true, "||"),
  "&&": ({ args: [left, right] }, scope) =>
    compileLogic(compileNode(left, scope), compileNode(right, scope), false, "&&"),
  "!_": ({ args: operand }, scope) => compileNot(compileNode(operand, scope)),
  "-_": ({ args: operand }, scope) => compileNegative(compileNode(operand, scope)),
};

const compileNode = (node: ASTNode, scope: Scope): Run => {
  scope.totals.nodes += 1;
  const compile = COMPILERS[node.op] as ((node: ASTNode, scope: Scope) => Run) | undefined;
  return (compile ?? compileBinary)(node, scope);
};

/** Throws a Refusal. `nodes`: how many the filter has. */
export const compileTree = (tree: ASTNode): { readonly run: Run; readonly nodes: number } => {
  const totals = { nodes: 0, patterns: 0 };
  const run = compileNode(tree, { slots: [], isInMacro: false, totals });
  return { run, nodes: totals.nodes };
};

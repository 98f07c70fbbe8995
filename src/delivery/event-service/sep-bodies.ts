/**
 * Maps a transaction to the object that its SEP's GET /transaction answers. Members that aren't listed here are not sent,
 * because the platform's object contains personal data that a client must not get.
 */
import { isJsonObject, type JsonObject, type JsonTree } from "./json-tree.ts";

/** The body of a transaction, or why the transaction can't be mapped. Then the event is dead-lettered. */
export type SepBody = JsonObject | { readonly unmappable: string };

type Entries = readonly (readonly [string, JsonTree | undefined])[];

const object = (entries: Entries): JsonObject =>
  new Map(entries.filter((entry): entry is readonly [string, JsonTree] => entry[1] !== undefined));

const memberOf = (tree: JsonTree | undefined, name: string): JsonTree | undefined =>
  isJsonObject(tree) ? tree.get(name) : undefined;

const listOf = (tree: JsonTree | undefined): readonly JsonTree[] | undefined =>
  Array.isArray(tree) ? (tree as readonly JsonTree[]) : undefined;

/** Copies members, in the order of `names`. */
const same = (from: JsonTree | undefined, names: readonly string[]): Entries =>
  names.map((name) => [name, memberOf(from, name)]);

const only = (from: JsonTree | undefined, names: readonly string[]): JsonObject | undefined =>
  isJsonObject(from) ? object(same(from, names)) : undefined;

const amounts = (transaction: JsonObject): Entries =>
  ["amount_in", "amount_out"].flatMap((name): Entries => [
    [name, memberOf(transaction.get(name), "amount")],
    [`${name}_asset`, memberOf(transaction.get(name), "asset")],
  ]);

const feeDetails = (transaction: JsonObject): Entries => {
  const fee = transaction.get("fee_details");
  if (memberOf(fee, "total") === undefined) return [];
  const details = listOf(memberOf(fee, "details"))?.map(
    (detail) => only(detail, ["name", "description", "amount"]) ?? detail,
  );
  return [["fee_details", object([...same(fee, ["total", "asset"]), ["details", details]])]];
};

const memo = (transaction: JsonObject): Entries => {
  const kind = transaction.get("kind");
  const prefix = typeof kind === "string" && kind.startsWith("deposit") ? "deposit" : "withdraw";
  return [
    [`${prefix}_memo`, transaction.get("memo")],
    [`${prefix}_memo_type`, transaction.get("memo_type")],
  ];
};

const accounts = (transaction: JsonObject): Entries => [
  ["from", transaction.get("source_account")],
  ["to", transaction.get("destination_account")],
];

/** An amount and its asset. Without both it stays an empty object. */
const wholeAmount = (tree: JsonTree | undefined): JsonObject | undefined => only(tree, ["amount", "asset"]);
const bareAmount = (tree: JsonTree | undefined): JsonTree | undefined => memberOf(tree, "amount");

const payments = (
  refunds: JsonTree | undefined,
  amountOf: (tree: JsonTree | undefined) => JsonTree | undefined,
  ids: readonly string[],
): readonly JsonObject[] | undefined =>
  listOf(memberOf(refunds, "payments"))?.map((payment) =>
    object([
      ...same(payment, ids),
      ["amount", amountOf(memberOf(payment, "amount"))],
      ["fee", amountOf(memberOf(payment, "fee"))],
    ]),
  );

const refundsOf = (
  refunds: JsonTree | undefined,
  amountOf: (tree: JsonTree | undefined) => JsonTree | undefined,
  ids: readonly string[],
): JsonObject =>
  object([
    ["amount_refunded", amountOf(memberOf(refunds, "amount_refunded"))],
    ["amount_fee", amountOf(memberOf(refunds, "amount_fee"))],
    ["payments", payments(refunds, amountOf, ids)],
  ]);

const ID_AND_TYPE = ["id", "id_type"];

const sep6 = (transaction: JsonObject, moreInfoUrl: string | undefined): SepBody => {
  if (transaction.get("started_at") === undefined)
    return { unmappable: "a SEP-6 transaction without started_at" };
  const refunds = transaction.get("refunds");
  const [first] = listOf(transaction.get("stellar_transactions")) ?? [];
  return object([
    ...same(transaction, ["id", "kind", "status"]),
    ["more_info_url", moreInfoUrl],
    ...amounts(transaction),
    ...feeDetails(transaction),
    ["quote_id", transaction.get("quote_id")],
    ...accounts(transaction),
    ...memo(transaction),
    ...same(transaction, ["started_at", "completed_at"]),
    ["stellar_transaction_id", memberOf(first, "id")],
    ...same(transaction, ["external_transaction_id", "message"]),
    ...(memberOf(refunds, "payments") === undefined
      ? []
      : ([["refunds", refundsOf(refunds, wholeAmount, ID_AND_TYPE)]] as const)),
    ...same(transaction, ["required_info_message", "required_info_updates", "instructions"]),
  ]);
};

/** With payments, the amounts are the sums over the payments; they may differ from the event's amounts. Without payments, the event's amounts are used. */
const summed = (refunds: JsonTree | undefined): JsonObject => {
  const mapped = refundsOf(refunds, bareAmount, ID_AND_TYPE);
  const each = listOf(mapped.get("payments")) ?? [];
  if (each.length === 0) return mapped;
  const sumOf = (name: string): string => decimalSum(each.map((payment) => memberOf(payment, name)));
  return object([
    ["amount_refunded", sumOf("amount")],
    ["amount_fee", sumOf("fee")],
    ["payments", each],
  ]);
};

const sep24 = (transaction: JsonObject, moreInfoUrl: string | undefined): SepBody => {
  const refunds = transaction.get("refunds");
  const mapped = refunds === undefined ? undefined : summed(refunds);
  const hasPayments = (listOf(mapped?.get("payments")) ?? []).length > 0;
  const refunded =
    hasPayments &&
    sameDecimal(mapped?.get("amount_refunded"), memberOf(transaction.get("amount_in"), "amount"));
  return object([
    ...memo(transaction),
    ...same(transaction, ["id", "kind", "status"]),
    ["more_info_url", moreInfoUrl],
    ...amounts(transaction),
    ...feeDetails(transaction),
    ...same(transaction, ["quote_id", "started_at", "completed_at", "external_transaction_id", "message"]),
    ["refunded", { source: String(refunded) }],
    ["refunds", mapped],
    ...accounts(transaction),
  ]);
};

const sep31 = (transaction: JsonObject): SepBody => {
  const refunds = transaction.get("refunds");
  return object([
    ...same(transaction, ["id", "status"]),
    ...amounts(transaction),
    ...feeDetails(transaction),
    ["quote_id", transaction.get("quote_id")],
    ["stellar_account_id", transaction.get("destination_account")],
    ["stellar_memo", transaction.get("memo")],
    ["stellar_memo_type", transaction.get("memo_type")],
    ...same(transaction, ["started_at", "completed_at", "external_transaction_id"]),
    ["refunds", refunds === undefined ? undefined : refundsOf(refunds, bareAmount, ["id"])],
    ["required_info_message", transaction.get("message")],
  ]);
};

const KINDS: Readonly<Record<string, readonly string[]>> = {
  "6": ["deposit", "withdrawal", "deposit-exchange", "withdrawal-exchange"],
  "24": ["deposit", "withdrawal"],
};

const faultOf = (sep: string, transaction: JsonObject): string | undefined => {
  if (typeof transaction.get("status") !== "string") return `a SEP-${sep} transaction without status`;
  const kind = transaction.get("kind");
  const kinds = KINDS[sep];
  if (kinds !== undefined && !(typeof kind === "string" && kinds.includes(kind)))
    return `a SEP-${sep} transaction whose kind is not one of ${kinds.join(", ")}`;
  const refunds = transaction.get("refunds");
  if (sep !== "6" && refunds !== undefined && memberOf(refunds, "payments") === undefined)
    return `a SEP-${sep} transaction with refunds without payments`;
  return undefined;
};

/** `transaction`: the event's object, without null members. */
export const sepBodyOf = (sep: string, transaction: JsonObject, moreInfoUrl: string | undefined): SepBody => {
  const fault = faultOf(sep, transaction);
  if (fault !== undefined) return { unmappable: fault };
  if (sep === "6") return sep6(transaction, moreInfoUrl);
  return sep === "24" ? sep24(transaction, moreInfoUrl) : sep31(transaction);
};

/** A decimal number as text. Amounts of money are added exactly, without floating point. */
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

interface Decimal {
  /** The value times ten to the power of `scale`. */
  readonly units: bigint;
  readonly scale: number;
}

const ZERO: Decimal = { units: 0n, scale: 0 };

const parse = (given: unknown): Decimal | undefined => {
  const [, sign, whole = "", fraction = ""] = DECIMAL.exec(typeof given === "string" ? given : "") ?? [];
  if (sign === undefined) return undefined;
  return { units: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length };
};

const unitsAt = ({ units, scale }: Decimal, wanted: number): bigint => units * 10n ** BigInt(wanted - scale);

/** The sum, with as many decimal places as the text with the most. A text that isn't a decimal number counts as zero. */
export const decimalSum = (texts: readonly unknown[]): string => {
  const all = texts.map((text) => parse(text) ?? ZERO);
  const scale = Math.max(0, ...all.map((each) => each.scale));
  const sum = all.reduce((total, each) => total + unitsAt(each, scale), 0n);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, "0");
  const cut = digits.length - scale;
  return `${sum < 0n ? "-" : ""}${digits.slice(0, cut)}${scale === 0 ? "" : `.${digits.slice(cut)}`}`;
};

/** True if both are decimal numbers with the same value: `1.50` equals `1.5`. */
export const sameDecimal = (one: unknown, other: unknown): boolean => {
  const [a, b] = [parse(one), parse(other)];
  if (a === undefined || b === undefined) return false;
  const scale = Math.max(a.scale, b.scale);
  return unitsAt(a, scale) === unitsAt(b, scale);
};

/** Proto3 JSON: what is accepted, what is read back, and what is refused where. */
import { compile, thrownBy } from "../../support/formats/vectors.ts";

const schema = compile(
  "PROTOBUF",
  `syntax = "proto3";
  package t;
  import "google/protobuf/any.proto";
  import "google/protobuf/descriptor.proto";
  import "google/protobuf/duration.proto";
  import "google/protobuf/empty.proto";
  import "google/protobuf/field_mask.proto";
  import "google/protobuf/struct.proto";
  import "google/protobuf/timestamp.proto";
  import "google/protobuf/wrappers.proto";
  import "confluent/meta.proto";
  import "confluent/type/decimal.proto";
  extend google.protobuf.FieldOptions { string note = 50000; }
  message All {
    google.protobuf.Any any = 1;
    google.protobuf.Struct struct = 2;
    google.protobuf.Value value = 3;
    google.protobuf.ListValue list = 4;
    google.protobuf.FieldMask mask = 5;
    google.protobuf.Duration duration = 6;
    google.protobuf.Timestamp time = 7;
    google.protobuf.Empty empty = 8;
    google.protobuf.BoolValue bool_value = 9;
    google.protobuf.BytesValue bytes_value = 10;
    google.protobuf.NullValue null_value = 11;
    repeated google.protobuf.Value values = 12;
    map<int64, All> by_number = 13;
    map<bool, string> by_bool = 14;
    confluent.type.Decimal decimal = 15;
    float float = 16;
    double double = 17;
    oneof choice { string a = 18; google.protobuf.NullValue n = 19; }
    repeated int32 packed = 20 [(note) = "x"];
    optional string maybe = 21;
    E e = 22;
    bytes bytes = 23;
    sint32 s32 = 25;
    int32 i32 = 26;
    uint32 u32 = 27;
    string other_name = 28 [json_name = "renamed"];
    repeated E es = 29;
    map<string, google.protobuf.Value> by_text = 30;
    uint64 u64 = 31;
    sfixed32 sf32 = 32;
    sfixed64 sf64 = 33;
    fixed32 f32 = 34;
    sint64 s64 = 35;
    bool bool = 36;
  }
  enum E { option allow_alias = true; Z = 0; ONE = 1; UNO = 1; NEG = -1; }`,
);

const encode = (json: string): Buffer => schema.encode(Buffer.from(json), 1, "t.All");
const roundTrip = (json: string): string => schema.decode(encode(json).subarray(5), "json").toString();

describe("proto3 JSON", () => {
  it.each([
    '{"any":{"@type":"type.googleapis.com/t.All","float":1}}',
    '{"any":{"@type":"x/google.protobuf.Duration","value":"1.500s"}}',
    '{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/t.All"}}}',
    '{"any":{}}',
    '{"struct":{"a":1,"b":[null,{"c":"d"}],"__proto__":true}}',
    '{"value":null}',
    '{"value":[1,"a",true,{},[]]}',
    '{"list":[]}',
    '{"struct":{}}',
    '{"mask":"a.bC,d"}',
    '{"mask":""}',
    '{"duration":"-1.500s"}',
    '{"duration":"1s"}',
    '{"duration":"-0.000000001s"}',
    '{"time":"1970-01-01T00:00:00.123456789Z"}',
    '{"time":"0001-01-01T00:00:00Z"}',
    '{"time":"9999-12-31T23:59:59.999999999Z"}',
    '{"time":"2024-02-29T00:00:00.000001Z"}',
    '{"empty":{}}',
    '{"boolValue":false,"bytesValue":""}',
    '{"values":[null,1]}',
    '{"byNumber":{"1":{"float":2},"-9223372036854775808":{}}}',
    '{"byBool":{"true":"a","false":""}}',
    '{"decimal":{"value":"AQ==","scale":2}}',
    '{"float":0.1,"double":0.1}',
    '{"float":3.4028235e+38,"double":1.7976931348623157e+308}',
    '{"float":"NaN","double":"-Infinity"}',
    '{"double":-0}',
    '{"n":null}',
    '{"a":""}',
    '{"packed":[1,2,300,-1,0]}',
    '{"maybe":""}',
    '{"e":"ONE"}',
    '{"e":5}',
    '{"e":"NEG"}',
    '{"s32":-2147483648,"u32":4294967295,"i32":-1,"sf32":-5,"f32":4294967295}',
    '{"u64":"18446744073709551615","sf64":"-1","s64":"-9223372036854775808"}',
    '{"renamed":"x"}',
    '{"byText":{"a":null}}',
    '{"bool":true}',
  ])("comes back as it was: %s", (json) => {
    expect(JSON.parse(roundTrip(json))).toEqual(JSON.parse(json));
  });

  it.each([
    ['{"boolValue":null,"nullValue":null,"values":null,"a":null,"maybe":null}', "{}"],
    ['{"i32":0,"float":0,"e":"Z","bytes":"","packed":[],"byBool":{}}', "{}"],
    [
      '{"any":{"value":"1s","@type":"x/google.protobuf.Duration"}}',
      '{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}',
    ],
    ['{"duration":"1.5s"}', '{"duration":"1.500s"}'],
    ['{"time":"1970-01-01t01:00:00.5+01:00"}', '{"time":"1970-01-01T00:00:00.500Z"}'],
    ['{"time":"1969-12-31T23:59:59.5Z"}', '{"time":"1969-12-31T23:59:59.500Z"}'],
    ['{"bytes":"-_8","bytesValue":"AA=="}', '{"bytesValue":"AA==","bytes":"+/8="}'],
    [
      '{"i32":1.0,"u32":1e2,"s32":"5","s64":1.5e1,"u64":"1e3"}',
      '{"s32":5,"i32":1,"u32":100,"u64":"1000","s64":"15"}',
    ],
    ['{"float":"1.5"}', '{"float":1.5}'],
    ['{"es":["UNO",0,"1"]}', '{"es":["ONE","Z","ONE"]}'],
    ['{"other_name":"x"}', '{"renamed":"x"}'],
    ['{"value":12345678901234567890}', '{"value":12345678901234567000}'],
  ])("%s is read as %s", (json, read) => {
    expect(roundTrip(json)).toBe(read);
  });

  it.each([
    ["[]", "'': expected an object (t.All), but got array"],
    ["null", "'': expected an object (t.All), but got null"],
    ['{"zzz":1}', "'/zzz': t.All has no such field"],
    ['{"constructor":1}', "'/constructor': t.All has no such field"],
    ['{"__proto__":1}', "'/__proto__': t.All has no such field"],
    ['{"otherName":"x"}', "'/otherName': t.All has no such field"],
    ['{"other_name":"x","renamed":"y"}', "'/renamed': the field is given twice, in both spellings"],
    ['{"a/b~c\\n":1}', "'/a~1b~0c\\n': t.All has no such field"],
    ['{"any":{"@type":"x/nope"}}', "'/any/@type': expected the URL of a message"],
    ['{"any":{"float":1}}', "'/any/@type': expected the URL of a message"],
    ['{"any":{"@type":"x/t.All","zzz":1}}', "'/any/zzz': t.All has no such field"],
    ['{"any":{"@type":"x/google.protobuf.Duration"}}', "'/any/value': the member is missing"],
    ['{"any":{"@type":"x/google.protobuf.Duration","value":"1s","x":1}}', "'/any/x': expected the members"],
    ['{"struct":[]}', "'/struct': expected an object, but got array"],
    ['{"struct":{"a":{"\\ud800":1}}}', "'/struct/a/\ud800': the string has half a surrogate pair"],
    ['{"mask":"a_b"}', "'/mask': expected a field mask in lowerCamelCase"],
    ['{"duration":"1"}', "'/duration': expected a duration such as 1.5s, but got \"1\""],
    ['{"duration":"999999999999s"}', "'/duration': expected a duration"],
    ['{"time":"2023-02-29T00:00:00Z"}', "'/time': expected a timestamp"],
    ['{"time":"10000-01-01T00:00:00Z"}', "'/time': expected a timestamp"],
    ['{"time":5}', "'/time': expected a timestamp (RFC 3339), but got number"],
    ['{"packed":[1,null]}', "'/packed/1': expected int32, but got null"],
    ['{"packed":1}', "'/packed': expected an array, but got number"],
    ['{"byNumber":{"x":{}}}', "'/byNumber/x': expected int64, but got \"x\""],
    ['{"byNumber":{"1":null}}', "'/byNumber/1': expected an object (t.All), but got null"],
    ['{"byNumber":{"1":{},"1.0":{}}}', "'/byNumber/1.0': the map has this key twice"],
    ['{"byNumber":[]}', "'/byNumber': expected an object (map), but got array"],
    ['{"byBool":{"1":""}}', "'/byBool/1': expected bool, but got string"],
    ['{"float":1e300}', "'/float': expected float"],
    ['{"double":1e400}', "'/double': the number is out of the range of double"],
    ['{"double":"1e400"}', "'/double': the number is out of the range of double"],
    ['{"double":""}', "'/double': expected double, but got \"\""],
    ['{"double":true}', "'/double': expected double, but got boolean"],
    ['{"a":"x","n":null}', "'/n': n and a exclude each other (oneof)"],
    ['{"e":"TWO"}', "'/e': expected a value of t.E, but got \"TWO\""],
    ['{"e":1.5}', "'/e': expected a value of t.E, a whole number"],
    ['{"bytes":"a"}', "'/bytes': expected bytes in base64, but got \"a\""],
    ['{"bytes":"AA="}', "'/bytes': expected bytes in base64"],
    ['{"bytes":5}', "'/bytes': expected bytes in base64, but got number"],
    ['{"i32":2147483648}', "'/i32': 2147483648 is out of the range of int32"],
    ['{"i32":1.5}', "'/i32': expected int32, a whole number, but got \"1.5\""],
    ['{"i32":1.0000000000000000001}', "'/i32': expected int32, a whole number"],
    ['{"i32":1e400}', "'/i32': the number is out of the range of int32"],
    ['{"i32":" 5"}', "'/i32': expected int32, but got \" 5\""],
    ['{"u32":-1}', "'/u32': -1 is out of the range of uint32"],
    ['{"u64":"18446744073709551616"}', "'/u64': 18446744073709551616 is out of the range of uint64"],
    ['{"u64":1e1000000000}', "'/u64': the number is out of the range of uint64"],
    ['{"a":12345678901234567890}', "'/a': expected string, but got number"],
    ['{"a":"\\ud800"}', "'/a': the string has half a surrogate pair"],
    ['{"maybe":"a","maybe":"b"}', "'': an object has a member twice"],
    ['{"struct":{"a":1,"\\u0061":2}}', "'': an object has a member twice"],
    ['{"bool":"true"}', "'/bool': expected bool, but got string"],
  ])("refuses %s", (json, reason) => {
    const error = thrownBy(() => encode(json));
    expect(error.name).toBe("DataRefused");
    expect(error.message).toContain(`protobuf: ${reason}`);
    expect(error.message).not.toContain("\n");
  });

  it("refuses half a text with JSON_INVALID", () => {
    expect(thrownBy(() => encode('{"a":'))).toMatchObject({ code: "JSON_INVALID" });
  });
});

describe("proto2", () => {
  const old = compile(
    "PROTOBUF",
    `message Old {
      optional group Result = 1 { required string url = 2; }
      repeated group Many = 3 { optional int32 n = 1; }
      optional E e = 4;
      repeated int32 unpacked = 5;
      repeated int32 packed = 6 [packed = true];
      optional int32 defaulted = 7 [default = 5];
      extensions 100 to 200;
      message After {}
    }
    extend Old { optional int32 more = 101; }
    enum E { A = 1; B = 2; constructor = 3; }`,
  );
  const trip = (json: string): string => {
    const framed = old.encode(Buffer.from(json), 1);
    return `${framed.toString("hex", 6)} ${old.decode(framed.subarray(5), "json").toString()}`;
  };

  it("has groups, extensions, defaults, closed enums and unpacked lists", () => {
    expect(trip('{"result":{"url":"u"},"many":[{"n":1},{}],"[more]":5}')).toBe(
      '0b1201750c1b08011c1b1ca80605 {"result":{"url":"u"},"many":[{"n":1},{}],"[more]":5}',
    );
    expect(trip('{"unpacked":[1,2],"packed":[1,2],"defaulted":0,"e":"constructor"}')).toBe(
      "20032801280232020102" + '3800 {"e":"constructor","unpacked":[1,2],"packed":[1,2],"defaulted":0}',
    );
  });

  it("does not count the message of a group in index paths", () => {
    expect(old.encode(Buffer.from("{}"), 1, "Old.After").toString("hex", 5)).toBe("040000");
  });

  it.each([
    ['{"result":{}}', "'/result': the required field url is missing"],
    ['{"e":4}', "'/e': E has no value 4"],
  ])("refuses %s", (json, reason) => {
    expect(thrownBy(() => old.encode(Buffer.from(json), 1)).message).toBe(`protobuf: ${reason}`);
  });
});
